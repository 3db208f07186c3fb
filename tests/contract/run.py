#!/usr/bin/env python3
"""Runs the contract tests of the client, the endpoints and the Streams API against every server there is.

    tests/contract/run.py --build build/release [--only sim-dynamodb,dynalite] [-- gtest flags]

Servers: messina-sim as DynamoDB and as Alternator, dynalite (npm) and moto (PyPI). The last two are installed below
build/contract at their first use. What a server cannot do is skipped, with the reason. Exit status 0: all passed.
"""
import argparse
import json
import os
import pathlib
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build" / "contract"
DYNALITE = "dynalite@4.0.0"
# moto's "server" extra pulls in what emulates the other services; these are what DynamoDB needs.
MOTO = ["moto[dynamodb]==5.2.5", "flask==3.1.2", "flask-cors==6.0.1"]
# Servers that others wrote.
OTHERS = {"dynalite", "moto"}
START_DEADLINE_S = 60
RUN_DEADLINE_S = 300


def find(build, name):
    for path in sorted(build.rglob(name)):
        if path.is_file() and os.access(path, os.X_OK):
            return path
    sys.exit(f"{build} has no {name}: build it first")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def install(marker, commands):
    """Runs `commands` unless they were run to their end before."""
    done = TOOLS / f".{marker}"
    wanted = repr(commands)
    if done.exists() and done.read_text() == wanted:
        return
    TOOLS.mkdir(parents=True, exist_ok=True)
    for command in commands:
        subprocess.run(command, cwd=TOOLS, check=True, stdout=subprocess.DEVNULL)
    done.write_text(wanted)


class Server:
    """A server process with its URL; ends with the `with` block."""

    def __init__(self, name, command, port=None):
        self.name = name
        self.log = TOOLS / f"{name}.log"
        self.port = port
        self.command = [str(part) for part in command]

    def __enter__(self):
        TOOLS.mkdir(parents=True, exist_ok=True)
        self.errors = open(self.log, "wb")
        own_port = self.port is not None
        self.process = subprocess.Popen(
            self.command, stdout=self.errors if own_port else subprocess.PIPE, stderr=self.errors)
        try:
            self.url = self.wait_for_port() if own_port else self.read_ready_line()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()

    def read_ready_line(self):
        """messina-sim chooses its own port and prints `ready dynamodb=HOST:PORT seed=…`."""
        lines = queue.Queue()
        threading.Thread(target=lambda: [lines.put(line) for line in self.process.stdout], daemon=True).start()
        try:
            ready = lines.get(timeout=START_DEADLINE_S).decode()
        except queue.Empty:
            sys.exit(f"{self.name} did not start: see {self.log}")
        print(f"{self.name}: {ready.strip()}")
        fields = dict(field.split("=", 1) for field in ready.split()[1:])
        return "http://" + (fields.get("dynamodb") or fields["alternator"]).split(",")[0]

    def wait_for_port(self):
        url = f"http://127.0.0.1:{self.port}"
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(url, timeout=5).close()
                return url
            except urllib.error.HTTPError:
                return url
            except OSError:
                time.sleep(0.1)
        sys.exit(f"{self.name} did not start: see {self.log}")


def servers(build, wanted):
    sim_keys = ["--access-key", "test", "--secret-key", "test"]
    if "sim-dynamodb" in wanted:
        yield Server("sim-dynamodb", [find(build, "messina-sim"), "--dynamodb", 0, "--no-stream-limits", *sim_keys])
    if "sim-alternator" in wanted:
        # ScyllaDB's records show 10 seconds late, which no test shall wait for.
        yield Server("sim-alternator", [find(build, "messina-sim"), "--alternator", 0, "--nodes", 3,
                                        "--stream-delay-ms", 0, *sim_keys])
    if "dynalite" in wanted:
        install("dynalite", [["npm", "install", "--no-fund", "--no-audit", "--silent", "--prefix", ".", DYNALITE]])
        port = free_port()
        yield Server("dynalite", ["node", TOOLS / "node_modules" / "dynalite" / "cli.js", "--port", port, "--createTableMs",
                                  0, "--deleteTableMs", 0], port)
    if "moto" in wanted:
        python = TOOLS / "venv" / "bin" / "python"
        install("moto", [[sys.executable, "-m", "venv", "venv"], [str(python), "-m", "pip", "install", "-q", *MOTO]])
        port = free_port()
        yield Server("moto", [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", port], port)


def run(server, program, flags):
    environment = dict(os.environ, MESSINA_CONTRACT_URL=server.url, MESSINA_CONTRACT_SERVER=server.name)
    print(f"\n== {server.name} at {server.url}", flush=True)
    try:
        return subprocess.run([program, *flags], env=environment, timeout=RUN_DEADLINE_S).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"{server.name}: not done after {RUN_DEADLINE_S} s")
        return False


def verify(server, build):
    """A table of the simulator is copied to the server and compared with it by `messina`; then items are changed, and must be found
    and repaired. True if all of it was so."""
    print(f"\n== verify and repair, with {server.name} as the target", flush=True)
    sim = Server(f"{server.name}-source", [find(build, "messina-sim"), "--dynamodb", 0, "--table", "items:id=S"])
    with sim, tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_EC2_METADATA_DISABLED="true", HOME=folder)
        sides = ["dynamodb://us-east-1/items", "dynamodb://us-east-1/verified", "--source-endpoint", sim.url, "--target-endpoint",
                 server.url, "--state", f"{folder}/state"]

        def load(items):
            body = "\n".join(json.dumps(item) for item in items).encode()
            urllib.request.urlopen(urllib.request.Request(f"{sim.url}/_sim/tables/items/load", data=body)).close()

        def messina(expected, *args):
            done = subprocess.run([find(build, "messina"), *args], env=environment, timeout=RUN_DEADLINE_S, capture_output=True, text=True)
            if done.returncode != expected:
                raise AssertionError(f"{args[0]} ended with {done.returncode}, not {expected}:\n{done.stdout}{done.stderr}")
            return done.stdout

        def item(number, **more):
            return {"id": {"S": f"i{number}"}, "n": {"N": str(number)}, "set": {"SS": ["b", "a"]},
                    "map": {"M": {"list": {"L": [{"N": "1.50"}, {"NULL": True}]}}}, **more}

        try:
            load(item(number) for number in range(250))
            messina(0, "copy", *sides)
            messina(0, "verify", *sides)
            load([item(7, n={"S": "7"}), item(8, map={"M": {"list": {"L": [{"N": "1.5"}]}}}), item(999)])
            messina(1, "verify", *sides)
            found = [json.loads(line) for line in messina(0, "diff", "--state", f"{folder}/state", "--json").split("\n") if line]
            listed = {event["key"]["id"]["S"]: (event["verdict"], [place["path"] for place in event["places"] or []]) for event in found}
            assert listed == {"i7": ("differs", ["n"]), "i8": ("differs", ["map.list[1]"]), "i999": ("missing", [])}, listed
            messina(0, "repair", *sides, "--dead-after", "1s", "--clock-error", "100ms")
            messina(0, "verify", *sides, "--exhaustive")
        except AssertionError as failure:
            print(failure)
            return False
    print("as it should be")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--only", default="sim-dynamodb,sim-alternator,dynalite,moto")
    parser.add_argument("flags", nargs="*", help="for the test program, after --")
    arguments = parser.parse_args()
    program = find(arguments.build.resolve(), "contract_test")
    failed = []
    for server in servers(arguments.build.resolve(), arguments.only.split(",")):
        with server:
            good = run(server, program, arguments.flags)
            if server.name in OTHERS and not arguments.flags:
                good = verify(server, arguments.build.resolve()) and good
            if not good:
                failed.append(server.name)
    if failed:
        sys.exit("the contract is broken on: " + ", ".join(failed))


if __name__ == "__main__":
    main()
