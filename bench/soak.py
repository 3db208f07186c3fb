#!/usr/bin/env python3
"""Lets messina follow a table for hours under writes, outages and closing shards, and writes bench/RESULTS-soak.md.

    ninja -C build/release messina messina-sim
    python3 bench/soak.py --build build/release                two hours; needs boto3, as tests/e2e do
    python3 bench/soak.py --build build/release --minutes 3    does it run? Writes nothing

Every ten seconds: memory and descriptors of messina, its spool's size and keys, its lag. Twelve times the target is
away for a while, so that the spool has to grow and shrink again. In the end the writers stop, and both tables are
compared by the oracle of the end-to-end tests. What must be flat is judged on the medians of the run's thirds: the
first third is where caches fill, the last may not be above the second by more than the stated slack.
"""
import argparse
import json
import os
import pathlib
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "e2e"))
import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402

import oracle  # noqa: E402

TABLE, KEYS, HOT_KEYS = "soak", 100_000, 20
WRITES_PER_S = 150
RETENTION_S, ROLL_S, SHARDS = 300, 60, 16
SAMPLE_S, OUTAGES, OUTAGE_S = 10, 12, 30
# The last third's median may exceed the second's by so much and still count as flat.
SLACK = {"rss_mib": 8.0, "descriptors": 4, "spool_mib": 8.0, "spool_keys": 500}


def client(address):
    return boto3.client("dynamodb", endpoint_url=f"http://{address}", region_name="us-east-1", aws_access_key_id="soak",
                        aws_secret_access_key="soak", config=Config(retries={"total_max_attempts": 10}))


def key(number):
    return {"id": {"S": f"k{number:08}"}}


def spool_bytes(folder):
    total = 0
    for path in folder.rglob("spool/**/*"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            pass  # compacted away meanwhile
    return total


class Writer(threading.Thread):
    """Puts, updates and deletes at a steady rate, a fifth of them on a few hot keys."""

    def __init__(self, address, seed):
        super().__init__(daemon=True)
        self.dynamodb, self.rng = client(address), random.Random(seed)
        self.enough, self.failure, self.changes = threading.Event(), None, 0

    def run(self):
        try:
            begun = time.monotonic()
            while not self.enough.is_set():
                ahead = self.changes / WRITES_PER_S - (time.monotonic() - begun)
                if ahead > 0 and self.enough.wait(ahead):
                    return
                self.change()
                self.changes += 1
        except Exception as failure:  # noqa: BLE001: the end of the run tells it
            self.failure = failure

    def change(self):
        number = self.rng.randrange(HOT_KEYS if self.rng.random() < 0.2 else KEYS)
        dice = self.rng.random()
        if dice < 0.5:
            self.dynamodb.put_item(TableName=TABLE, Item={**key(number), "n": {"N": str(self.changes)},
                                                          "text": {"S": "as written " * self.rng.randint(1, 80)}})
        elif dice < 0.85:
            self.dynamodb.update_item(TableName=TABLE, Key=key(number), UpdateExpression="SET n = :n",
                                      ExpressionAttributeValues={":n": {"N": str(self.changes)}})
        else:
            self.dynamodb.delete_item(TableName=TABLE, Key=key(number))


class Soak:
    def __init__(self, build, folder, minutes):
        self.bin, self.folder, self.seconds = build / "bin", folder, minutes * 60
        self.samples, self.outages, self.processes = [], 0, []

    def start(self):
        lines = self.folder / "items.jsonl"
        with open(lines, "w") as out:
            for number in range(KEYS):
                out.write(json.dumps({**key(number), "n": {"N": "0"}, "text": {"S": "preloaded " * 40}}) + "\n")
        sim = subprocess.Popen(
            [self.bin / "messina-sim", "--dynamodb", "0", "--alternator", "0", "--table", f"{TABLE}:id=S", "--on-demand",
             "--preload", f"{TABLE}={lines}", "--stream-shards", str(SHARDS), "--stream-roll-seconds", str(ROLL_S),
             "--stream-retention-seconds", str(RETENTION_S)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.processes.append(sim)
        ports = dict(word.split("=", 1) for word in sim.stdout.readline().split()[1:])
        self.dynamodb, self.alternator = ports["dynamodb"], ports["alternator"]
        self.messina_log = open(self.folder / "messina.jsonl", "w")
        self.messina = subprocess.Popen(
            [self.bin / "messina", "migrate", f"dynamodb://us-east-1/{TABLE}", f"alternator://{self.alternator}/{TABLE}",
             "--source-endpoint", f"http://{self.dynamodb}", "--enable-stream", "--stream-retention", f"{RETENTION_S}s",
             "--dead-after", "5s", "--read-rcu", "2000", "--json"],
            env={**os.environ, "AWS_ACCESS_KEY_ID": "soak", "AWS_SECRET_ACCESS_KEY": "soak"}, cwd=self.folder,
            stdout=self.messina_log, stderr=self.messina_log)
        self.processes.append(self.messina)

    def status(self):
        asked = subprocess.run([self.bin / "messina", "status", "--json"], cwd=self.folder, capture_output=True, text=True)
        for line in asked.stdout.splitlines():
            event = json.loads(line)
            if event["event"] == "migration":
                return event.get("progress") or {}
        return {}

    def sample(self, begun):
        proc = pathlib.Path("/proc") / str(self.messina.pid)
        rss = next(int(line.split()[1]) for line in (proc / "status").read_text().splitlines() if line.startswith("VmRSS:"))
        live = self.status().get("live") or {}
        self.samples.append({
            "at_s": time.monotonic() - begun, "rss_mib": rss / 1024, "descriptors": len(list((proc / "fd").iterdir())),
            "spool_mib": spool_bytes(self.folder) / (1 << 20), "spool_keys": live.get("spool_keys_at_most") or 0,
            "lag_s": live.get("lag_s") or 0.0, "in_step": bool(live.get("in_step")), "gaps": len(live.get("gaps") or []),
        })

    def outage(self):
        body = json.dumps({"kind": "stop", "ms": OUTAGE_S * 1000, "count": 1}).encode()
        with urllib.request.urlopen(f"http://{self.alternator}/_sim/faults", data=body, timeout=30) as answer:
            answer.read()
        self.outages += 1

    def wait_in_step(self):
        """Until what was written before has arrived."""
        end = time.monotonic() + 300
        since = None
        while time.monotonic() < end:
            if (self.status().get("live") or {}).get("in_step"):
                since = since or time.monotonic()
                if time.monotonic() - since > 30:
                    return True
            else:
                since = None
            time.sleep(1)
        return False

    def run(self):
        self.start()
        writer = Writer(self.dynamodb, 1)
        writer.start()
        begun = time.monotonic()
        next_outage = self.seconds / (OUTAGES + 1)
        next_sample = SAMPLE_S
        while (now := time.monotonic() - begun) < self.seconds:
            if self.messina.poll() is not None:
                raise RuntimeError(f"messina ended with {self.messina.returncode}: see {self.folder}/messina.jsonl")
            if writer.failure:
                raise RuntimeError(f"the writer failed: {writer.failure}")
            if now >= next_sample:
                self.sample(begun)
                next_sample += SAMPLE_S
            if now >= next_outage and self.outages < OUTAGES:
                self.outage()
                next_outage += self.seconds / (OUTAGES + 1)
            time.sleep(0.5)
        writer.enough.set()
        writer.join()
        came_in_step = self.wait_in_step()
        self.messina.send_signal(signal.SIGINT)
        self.messina.wait(timeout=120)
        source = oracle.read_all(client(self.dynamodb), TABLE)
        differing = oracle.differences(source, oracle.read_all(client(self.alternator), TABLE))
        return writer.changes, came_in_step, len(source), differing

    def finish(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def thirds(samples, name):
    size = len(samples) // 3
    return [statistics.median(s[name] for s in samples[i * size:(i + 1) * size]) for i in range(3)]


def report(soak, changes, came_in_step, items, differing):
    samples = soak.samples
    names = {"rss_mib": "memory (RSS), MiB", "descriptors": "open descriptors", "spool_mib": "spool on disk, MiB",
             "spool_keys": "keys that wait", "lag_s": "lag, s"}
    lines = ["# Following for hours", "",
             f"`bench/soak.py`: {soak.seconds / 3600:g} hours, {platform.machine()}, {os.cpu_count()} cores, shared with the",
             f"simulator, the writer and whatever else ran. {KEYS:,} items at the start; {changes:,} changes by boto3 "
             f"({WRITES_PER_S}/s, a fifth on {HOT_KEYS}",
             f"keys); {SHARDS} shards, all closed and followed every {ROLL_S} s, records trimmed after {RETENTION_S} s; the target "
             f"stood still {soak.outages} times for {OUTAGE_S} s.", "",
             "| | first third | second | last | highest | flat |", "|---|---|---|---|---|---|"]
    flat = True
    for name, title in names.items():
        first, second, last = thirds(samples, name)
        verdict = ""
        if name in SLACK:
            fine = last <= second + SLACK[name]
            flat &= fine
            verdict = "yes" if fine else "NO"
        highest = max(s[name] for s in samples)
        lines.append(f"| {title} | {first:,.1f} | {second:,.1f} | {last:,.1f} | {highest:,.1f} | {verdict} |")
    lines += ["", f"Thirds by their median, {len(samples)} samples. Gaps: {max(s['gaps'] for s in samples)}. In step in "
              f"{100 * statistics.mean(s['in_step'] for s in samples):.0f} % of the samples, and again after the writer stopped: "
              f"{'yes' if came_in_step else 'NO'}.",
              f"The oracle found {len(differing)} differing items of {items:,}."]
    return "\n".join(lines) + "\n", flat and came_in_step and not differing


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "RESULTS-soak.md")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for state and logs that stays")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        soak = Soak(options.build.resolve(), folder, options.minutes)
        try:
            ended = soak.run()
        finally:
            soak.finish()
            (folder / "samples.json").write_text(json.dumps(soak.samples))
        text, fine = report(soak, *ended)
    print(text)
    if options.minutes >= 120:
        options.results.write_text(text)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
