#!/usr/bin/env python3
"""Measures many small tables against one of their total size and writes bench/RESULTS-tables.md.

    python3 bench/tables.py --build build/release [--tables 200] [--items 1000] [--runs 3]

Both are copied between messina-sim's DynamoDB and Alternator on this machine, in turns, each time under new names and with a
new state directory. The goal: 200 small tables in no more than twice the time of the one.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ITEM_BYTES = 500


class Sim:
    def __init__(self, binary):
        self.process = subprocess.Popen([binary, "--dynamodb", "0", "--alternator", "0", "--seed", "1"],
                                        stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        ports = dict(re.findall(r"(dynamodb|alternator)=([0-9.:]+)", ready))
        self.source, self.target = ports["dynamodb"], ports["alternator"]

    def post(self, path, body, headers=None):
        request = urllib.request.Request(f"http://{self.source}{path}", data=body.encode(), headers=headers or {}, method="POST")
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer.read()

    def make(self, name, items):
        self.post("/", json.dumps({
            "TableName": name, "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}),
            {"X-Amz-Target": "DynamoDB_20120810.CreateTable", "Content-Type": "application/x-amz-json-1.0"})
        filler = "x" * ITEM_BYTES
        for begin in range(0, items, 10_000):
            lines = (json.dumps({"id": {"S": f"{name}-{i}"}, "v": {"S": filler}}) for i in range(begin, min(items, begin + 10_000)))
            self.post(f"/_sim/tables/{name}/load", "\n".join(lines))

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


def copy(binary, sim, tables, turn, folder):
    """Seconds of wall time, and of CPU time, of one run with a new state directory."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and not k.lower().endswith("_proxy")}
    before, start = os.times(), time.monotonic()
    done = subprocess.run(
        [binary, "copy", "dynamodb://us-east-1", f"alternator://{sim.target}", "--source-endpoint", f"http://{sim.source}",
         "--tables", tables, "--target-name", "{table}_" + str(turn), "--state", folder / f"state-{tables[:3]}-{turn}", "--json", "--quiet"],
        env={**keep, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, capture_output=True, text=True, timeout=600)
    wall, after = time.monotonic() - start, os.times()
    if done.returncode != 0:
        raise SystemExit(f"messina ended with {done.returncode}: {done.stderr[-2000:]}")
    items = json.loads(done.stdout.splitlines()[-1])["counts"]["written_items"]
    return wall, after.children_user + after.children_system - before.children_user - before.children_system, items


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build" / "release")
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--items", type=int, default=1000, help="in each of the small tables")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "RESULTS-tables.md")
    options = parser.parse_args()
    build = options.build.resolve()
    sim = Sim(build / "bin" / "messina-sim")
    total = options.tables * options.items
    many, one = [], []
    load = os.getloadavg()[0]
    try:
        sim.make("one", total)
        for i in range(options.tables):
            sim.make(f"small{i:04}", options.items)
        with tempfile.TemporaryDirectory(prefix="messina-bench-") as folder:
            for turn in range(options.runs):
                for name, results in (("one", one), ("small*", many)):
                    results.append(copy(build / "bin" / "messina", sim, name, turn, pathlib.Path(folder)))
                    assert results[-1][2] == total, results[-1]
                    print(f"{name}: {results[-1][0]:.2f} s, CPU {results[-1][1]:.2f} s", flush=True)
    finally:
        sim.stop()
    wall = [statistics.median(run[0] for run in results) for results in (one, many)]
    cpu = [statistics.median(run[1] for run in results) for results in (one, many)]
    ratio = wall[1] / wall[0]
    text = f"""# Many tables

{options.tables} tables of {options.items:,} items of {ITEM_BYTES} bytes against one table of {total:,}, from messina-sim to messina-sim on
{os.cpu_count()} cores that all of them share (load average before: {load:.1f}). Medians of {options.runs} runs;
`python3 bench/tables.py` writes this file.

| | wall | CPU of messina | items/s |
|---|---|---|---|
| one table | {wall[0]:.2f} s | {cpu[0]:.2f} s | {total / wall[0]:,.0f} |
| {options.tables} tables | {wall[1]:.2f} s | {cpu[1]:.2f} s | {total / wall[1]:,.0f} |

The {options.tables} tables take {ratio:.2f} times as long as the one ({1000 * (wall[1] - wall[0]) / options.tables:.1f} ms more for each); the goal is 2.
"""
    options.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
