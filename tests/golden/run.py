#!/usr/bin/env python3
"""Golden tests of messina's answers to bad input: text, exit code and next step.

    tests/golden/run.py --build build/release            run all
    tests/golden/run.py --build build/release --only X   those whose name holds X
    tests/golden/run.py --build build/release --update   write what messina says now; read the diff before you commit it

cases/NAME.toml says what is done, cases/NAME.txt what messina answered. A case may have
    what    = "one sentence"
    files   = { "plan.yaml" = "…" }          written into the case's folder {dir}
    sim     = ["--table", "orders:id=S"]     starts messina-sim with both services: {source}, {target}
    items   = ['{"id":{"S":"a"}}']           loaded into the source's table "orders"
    control = [["source", "faults", {…}]]    posted to the simulator's /_sim/… of that side before the runs
    calls   = [["source", "DeleteTable", {…}]]   API calls made before the runs
    fake    = { DescribeTable = "…" }        a server that answers each operation with a fixed body: {fake}
    certificate = true                       makes {dir}/cert.pem and {dir}/key.pem for 127.0.0.1
    [[run]]                                  one start of messina each, in order
    args    = ["copy", …]
    env     = { NAME = "value" }
    stdin   = "…"
    fsize   = 4096                           largest file that it may write, as on a full disk
    before  = "shell command"                run in {dir} first
    hold    = true                           another process holds the migration's lock meanwhile
"{x*1000}" in a call is a text of that length. Only the standard library is used.
"""
import argparse
import fcntl
import http.server
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import tomllib
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
DEADLINE_S = 60


def free_port_without_listener():
    """A port on which nobody listens: bound and closed again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(address, path, body, headers=None):
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{address}{path}", data=data, headers=headers or {}, method="POST")
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
        return answer.read()


class Simulator:
    def __init__(self, binary, flags):
        self.process = subprocess.Popen(
            [binary, "--dynamodb", "0", "--alternator", "0", "--seed", "1", *flags], stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        found = dict(re.findall(r"(dynamodb|alternator)=(?:https?://)?([0-9.:]+)", ready))
        if len(found) != 2:
            self.stop()
            raise RuntimeError(f"messina-sim did not start: {ready!r}")
        self.source, self.target = found["dynamodb"], found["alternator"]

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=DEADLINE_S)
        self.process.stdout.close()


class Fake:
    """Answers each operation with a fixed body and status 200."""

    def __init__(self, answers):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                operation = self.headers.get("X-Amz-Target", "").split(".")[-1]
                body = answers.get(operation, '{"__type":"x#UnknownOperationException","message":"not here"}').encode()
                self.send_response(200 if operation in answers else 400)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Case:
    def __init__(self, path, build):
        self.path, self.build = path, build
        self.spec = tomllib.loads(path.read_text())
        self.words = {}

    def fill(self, text):
        for word, value in self.words.items():
            text = text.replace("{" + word + "}", value)
        return re.sub(r"\{x\*(\d+)\}", lambda found: "x" * int(found[1]), text)

    def mask(self, text):
        """What differs from run to run becomes a word."""
        for word, value in sorted(self.words.items(), key=lambda pair: -len(pair[1])):
            text = text.replace(value, "{" + word + "}")
            text = text.replace(json.dumps(value)[1:-1], "{" + word + "}")
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "{time}", text)
        text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "{id}", text)
        text = re.sub(r"\bin \d+(\.\d+)? m?s\b", "in {elapsed}", text)
        text = re.sub(r"settled for .*? \(limit", "settled for {elapsed} (limit", text)
        text = re.sub(r" +\d+(\.\d+)? m?s$", "  {elapsed}", text, flags=re.M)
        text = re.sub(r'"(elapsed_s|rcu|wcu)":[0-9.e+-]+', r'"\1":{number}', text)
        text = re.sub(r"-to-([A-Za-z0-9_.-]+)-[0-9a-f]{12}", r"-to-\1-{hash}", text)
        text = re.sub(r"\bpid \d+", "pid {pid}", text)
        # Machines with more cores read in more segments, and each costs a little.
        text = re.sub(r"segment \d+/\d+", "segment {n}", text)
        text = re.sub(r"segments +(\d+) of \1 done", "segments   {all} of {all} done", text)
        text = re.sub(r"  cost .*\n", "", text)
        # How many there are depends on the machine's speed; a unit test holds their fields.
        text = re.sub(r'\{"event":"progress".*\n', "", text)
        text = re.sub(r'"port":\d+', '"port":{port}', text)
        return text.replace(socket.gethostname(), "{host}")

    def run(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="messina-golden-"))
        servers = []
        try:
            self.words = {"dir": str(folder), "bin": str(self.build / "bin"), "closed": f"127.0.0.1:{free_port_without_listener()}"}
            for name, content in self.spec.get("files", {}).items():
                (folder / name).write_bytes(content.encode("latin-1") if name.endswith(".latin1") else content.encode())
            if "fake" in self.spec:
                fake = Fake(self.spec["fake"])
                servers.append(fake)
                self.words["fake"] = fake.address
            if self.spec.get("certificate"):
                subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                                "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
                               cwd=folder, check=True, capture_output=True)
            if "sim" in self.spec:
                self.start_simulator(servers)
            return "".join(self.one_run(run, folder) for run in self.spec["run"])
        finally:
            for server in servers:
                server.stop()
            shutil.rmtree(folder)

    def start_simulator(self, servers):
        sim = Simulator(self.build / "bin" / "messina-sim", [self.fill(flag) for flag in self.spec["sim"]])
        servers.append(sim)
        self.words.update(source=sim.source, target=sim.target)
        sides = {"source": sim.source, "target": sim.target}
        if "items" in self.spec:
            post(sim.source, "/_sim/tables/orders/load", "\n".join(self.spec["items"]))
        for side, operation, body in self.spec.get("calls", []):
            post(sides[side], "/", self.fill(json.dumps(body)), {"X-Amz-Target": "DynamoDB_20120810." + operation,
                                         "Content-Type": "application/x-amz-json-1.0"})
        for side, path, body in self.spec.get("control", []):
            post(sides[side], "/_sim/" + path, body)

    def one_run(self, run, folder):
        if "before" in run:
            subprocess.run(["sh", "-c", self.fill(run["before"])], cwd=folder, check=True)
        args = [self.fill(word) for word in run["args"]]
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "LANG": "C.UTF-8",
                       "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", **{k: self.fill(v) for k, v in run.get("env", {}).items()}}

        def limit():
            if "fsize" in run:
                resource.setrlimit(resource.RLIMIT_FSIZE, (run["fsize"], run["fsize"]))

        holder = self.hold(folder) if run.get("hold") else None
        try:
            done = subprocess.run([self.build / "bin" / "messina", *args], cwd=folder, env=environment, preexec_fn=limit,
                                  input=run.get("stdin", "").encode(), capture_output=True, timeout=DEADLINE_S)
        finally:
            if holder is not None:
                holder.close()
        text = f"$ messina {' '.join(run['args'])}\nexit {done.returncode}\n"
        for name, stream in (("stdout", done.stdout), ("stderr", done.stderr)):
            if stream:
                text += f"--- {name}\n{self.mask(stream.decode('utf-8', 'backslashreplace'))}"
        return text + "\n"

    def hold(self, folder):
        """Takes the lock of the only migration, as another process of messina would."""
        (lock,) = folder.glob("messina-state/*/lock")
        file = open(lock, "r+")
        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(json.dumps({"host": "elsewhere", "pid": 4711, "since": "2026-01-01T00:00:00Z"}))
        file.flush()
        return file


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent.parent / "build" / "release")
    parser.add_argument("--only", default="")
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    build = options.build.resolve()
    failed = []
    cases = [path for path in sorted((HERE / "cases").glob("*.toml")) if options.only in path.stem]
    if not cases:
        sys.exit("no case has such a name")
    for path in cases:
        golden = path.with_suffix(".txt")
        try:
            actual = Case(path, build).run()
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            actual = f"the case could not be run: {error}\n"
        expected = golden.read_text() if golden.exists() else ""
        if actual == expected and not actual.startswith("the case could not"):
            continue
        if options.update and not actual.startswith("the case could not"):
            golden.write_text(actual)
            continue
        failed.append(path.stem)
        print(f"=== {path.stem}: expected\n{expected}=== but got\n{actual}")
    print(f"{len(cases) - len(failed)} of {len(cases)} golden cases pass")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
