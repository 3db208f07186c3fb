#!/usr/bin/env python3
"""Measures `messina verify` of equal tables and writes bench/RESULTS-verify.md.

    python3 bench/verify.py --build build/release [--only forward --only memory]

Two messina-sim in bench mode, a DynamoDB and an Alternator, hold the same items. Forward: one segment of the whole table, on
one core, against the sum of its parts: both sides' pages moved over the same sockets (bench_pump --lookups), the spans of both
sides' items, the CRC of the source's pages, the hashes of the keys (bench_parts). Memory: the whole verification, of a table
and of one ten times as large. Million: a live migration of a million items that are written to, with differences of every kind
among those that are not. Touched: one whose pass sees inserts and deletes in every bucket, beside a quiet one.
"""
import argparse
import contextlib
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import live
import profile_text
from harness import Sample, Server, last_json_line, machine, pinned, run_child, two_cores
from live import threads_of
from report_live import profile_table

HERE = pathlib.Path(__file__).resolve().parent
MB = 1_000_000
MIB = 1 << 20
KEYS_A_LOOKUP = 100  # BatchGetItem takes no more
LOOKUPS_AT_ONCE = 4  # for each page, in verify; the pump does the same
SIZES = (140, 1_000, 10_000)  # bytes of an item
FORWARD_LIMIT = 1.3
# What a verification may take over its budget: the program itself and both digests, of 2^20 buckets of 32 bytes, in memory
# and on their way to the disk.
OVER_BUDGET = 256 * MIB
MILLION, CHANGES, OF_EACH = 1_000_000, 1_000, 100  # items, writes a second, differences of each kind
LARGEST_DIGEST = 50_000_000, 140  # items, and their size: a digest has 2^20 buckets at most
# Just under a power of two of buckets, each with 64 keys of 1 KB; about four of a bucket are written to while the pass lasts,
# which leaves out one bucket in fifty.
TOUCHED, TOUCHED_BUCKETS, WRITES_A_BUCKET, TOUCHED_RCU, TOUCHED_LIMIT, TOUCHED_ROUNDS = 131_000, 2_048, 4, 3_000, 1.2, 5
FIGURES = ["forward", "profile", "memory", "million", "touched"]
# How the target answers lookups, and the setting of messina-sim's bench mode that makes it so.
ANSWERED = {"as asked": "", "in another order": ",shuffled=1", "attributes turned round": ",key-last=1"}
SECRET_ENV = "MESSINA_BENCH_SECRET"


class Bench:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.build = pathlib.Path(options.build).resolve()
        self.messina, self.sim = self.build / "bin" / "messina", self.build / "bin" / "messina-sim"
        self.pump, self.parts = self.build / "bench" / "bench_pump", self.build / "bench" / "bench_parts"
        for program in (self.messina, self.sim, self.pump, self.parts):
            if not program.exists():
                sys.exit(f"{program} is missing: run `make bench`, which builds it first")
        self.core, self.sim_core = two_cores()
        os.sched_setaffinity(0, {self.sim_core})  # this script's polling is not messina's

    def servers(self, size, items, target=""):
        settings = f"items={items},size={size},table=bench"
        return (Server([self.sim, "--dynamodb", 0, "--bench", settings], self.sim_core, self.work / "source.log"),
                Server([self.sim, "--alternator", 0, "--bench", settings + target], self.sim_core, self.work / "target.log"))

    def command(self, source, target, *extra):
        return [self.messina, "verify", "dynamodb://us-east-1/bench", f"alternator://{target['alternator']}/bench",
                "--source-endpoint", f"http://{source['dynamodb']}", "--source-access-key", "AKIDEXAMPLEEXAMPLE00",
                "--source-secret-key-env", SECRET_ENV, "--read-rcu", "unlimited", "--loops", 1, "--json", "--state",
                self.work / "state", *extra]

    def environment(self):
        keep = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and not k.lower().endswith("_proxy")}
        return keep | {SECRET_ENV: "a secret for nobody"}

    def verify(self, source, target, *extra):
        done = run_child(self.command(source, target, *extra), self.core, self.work, self.environment())
        shutil.rmtree(self.work / "state", ignore_errors=True)
        said = last_json_line(done.stdout) if done.stdout else {}
        if done.status != 0 or said.get("differences") != 0:
            raise RuntimeError(f"messina verify ended with {done.status}: {done.stderr[-1500:]} {done.stdout[-1500:]}")
        return done, said

    def profile(self):
        """Where the time of the forward pass over the smallest items goes, by perf; None where there is no perf."""
        if not shutil.which("perf"):
            return None
        source, target = self.servers(SIZES[0], int(self.options.mb * MB / SIZES[0]))
        with source as from_, target as to:
            record = ["perf", "record", "-q", "-F", "999", "-e", "cpu-clock", "-o", self.work / "perf.data", "--",
                      *self.command(from_, to, "--segment", "0/1")]
            subprocess.run(pinned(self.core, record), cwd=self.work, env=self.environment(), check=True, capture_output=True)
        shutil.rmtree(self.work / "state", ignore_errors=True)
        text = subprocess.run(["perf", "report", "-i", self.work / "perf.data", "--no-children", "--stdio", "-F",
                               "overhead,comm,dso,symbol"], capture_output=True, text=True).stdout
        return profile_text.read(text)

    def floor(self, source, target):
        """CPU seconds of the parts: moved, spans of both sides, CRC, hashes."""
        page = self.work / "page.json"
        moved = run_child([self.pump, "--lookups", "--source", source["dynamodb"], "--target", target["alternator"], "--table", "bench",
                           "--segments", 1, "--units", 1, "--writers", LOOKUPS_AT_ONCE, "--batch", KEYS_A_LOOKUP, "--signed", "--dump", page],
                          self.core, self.work, watch=False)
        if moved.status != 0:
            raise RuntimeError("the pump failed: " + moved.stderr)
        told = last_json_line(moved.stdout)
        parts = run_child([self.parts, "--page", page, "--places", 2, "--min-ms", 150], self.core, self.work, watch=False)
        if parts.status != 0:
            raise RuntimeError("the parts failed: " + parts.stderr)
        ns = last_json_line(parts.stdout)
        share = told["page_bytes"] / ns["page_bytes"] / 1e9
        return {"moved": moved.cpu_s, "spans": ns["split_ns"] * share, "crc": ns["crc32_ns"] * share,
                "hashes": ns["hash_ns"] * share, "items": told["items"]}

    def forward(self):
        results = []
        for size, (answered, setting) in itertools.product(SIZES, ANSWERED.items()):
            items = int(self.options.mb * MB / size)
            ratios, strict, verified, floors = [], [], [], []
            source, target = self.servers(size, items, setting)
            with source as from_, target as to:
                for _ in range(self.options.runs):
                    done, said = self.verify(from_, to, "--segment", "0/1")
                    assert said["compared_items"] == items, said
                    parts = self.floor(from_, to)
                    assert parts["items"] == items, parts
                    verified.append(done.cpu_s)
                    floors.append(parts)
                    once = sum(parts[p] for p in ("moved", "spans", "crc", "hashes"))
                    ratios.append(done.cpu_s / (once + parts["spans"]))
                    strict.append(done.cpu_s / once)
            results.append({"size": size, "answered": answered, "items": items, "cpu_s": verified, "parts": floors, "ratios": ratios, "strict": strict})
            print(f"forward, {size} B, answered {answered}: {Sample(verified).median:.2f} s, ratio {Sample(ratios).median:.2f} "
                  f"(limit {FORWARD_LIMIT})", flush=True)
        return results

    def memory(self):
        results = []
        few = int(self.options.mb * MB / 1_000)
        for budget, (items, size) in itertools.product((64, 256), ((few, 1_000), (10 * few, 1_000), LARGEST_DIGEST)):
            source, target = self.servers(size, items)
            with source as from_, target as to:
                done, _ = self.verify(from_, to, "--memory", f"{budget}MiB")
            results.append({"budget": budget * MIB, "items": items, "size": size, "peak": done.peak_rss})
            print(f"memory: budget {budget} MiB, {items:,} items of {size} B: peak {done.peak_rss / MIB:.0f} MiB", flush=True)
        return results

    # ------------------------------------------------------------------------------------ a live migration

    @contextlib.contextmanager
    def in_step(self, items, size):
        """A live migration of so many items, in step, on both cores."""
        os.sched_setaffinity(0, {self.core, self.sim_core})
        with tempfile.TemporaryDirectory(prefix="messina-bench-live-") as work:
            beside = live.Bench(argparse.Namespace(build=self.build, quick=False), pathlib.Path(work))
            with beside.sim("--table", f"{live.TABLE}:pk=S", core=beside.both) as at:
                beside.write(at, "--items", items, "--bytes", size)
                state = beside.work / "state"
                with beside.messina("migrate", at, state, "--read-rcu", "unlimited", "--enable-stream", "NEW_IMAGE",
                                    core=beside.both) as migrate:
                    migrate.until(lambda e: e["live"]["in_step"], 300, "in step")
                    yield beside, at, state, migrate
                    migrate.stop(well=(0, 1, 3))  # 1: keys differ

    def million(self):
        with self.in_step(MILLION, 200) as (beside, at, state, migrate):
            damaged = damage(at["alternator"])
            writer = subprocess.Popen(list(map(str, beside.writer(
                at, "--per-s", CHANGES, "--seconds", 600, "--bytes", 200, "--keys", MILLION // 2))), stdout=subprocess.DEVNULL)
            try:
                result = verify_live(beside, at, state, damaged)
            finally:
                writer.kill()
                writer.wait()
        print(f"million: {result}", flush=True)
        return result

    def touched(self):
        """What verifying costs of a table at rest, and of one whose every bucket is inserted into and deleted from meanwhile."""
        with self.in_step(TOUCHED, 1_000) as (beside, at, state, migrate):
            churn, writes = Churn(at["dynamodb"]), TOUCHED_BUCKETS * WRITES_A_BUCKET
            verify = lambda: ask_to_verify(beside, at, state, "--read-rcu", TOUCHED_RCU)  # noqa: E731
            # The pass is over when all of the source was read, at the rate that it was given.
            churn.per_s = writes / (verify()["source_rcu"] / TOUCHED_RCU)
            cpu = Meter(lambda: sum(threads_of(migrate.process.pid).values()))

            def writes_alone():
                churn.run(writes)
                migrate.until(lambda e: e["live"]["in_step"], 60, "in step after writes alone")

            def verify_beside():
                writer = threading.Thread(target=churn.run, args=(writes,))
                writer.start()
                said = verify()
                writer.join()
                return said

            rounds, alone = [], [cpu.of(writes_alone)[0]]
            for _ in range(TOUCHED_ROUNDS):
                quiet_cpu, quiet = cpu.of(verify)
                busy_cpu, busy = cpu.of(verify_beside)
                alone.append(cpu.of(writes_alone)[0])
                # What a write costs grows with the spool's files: those right before and after are its measure.
                rounds.append(self.touched_round(quiet, busy, quiet_cpu, busy_cpu - (alone[-2] + alone[-1]) / 2))
        ratio_of = lambda r: r["busy_cpu_s"] / r["quiet_cpu_s"]  # noqa: E731
        result = sorted(rounds, key=ratio_of)[len(rounds) // 2] | {"cpu_ratios": sorted(map(ratio_of, rounds))}
        print(f"touched: {result}", flush=True)
        return result

    @staticmethod
    def touched_round(quiet, busy, quiet_cpu_s, busy_cpu_s):
        rcu = lambda said: said["source_rcu"] + said["target_rcu"]  # noqa: E731
        return {"quiet_rcu": rcu(quiet), "busy_rcu": rcu(busy), "quiet_cpu_s": quiet_cpu_s, "busy_cpu_s": busy_cpu_s,
                "buckets": busy["digests"]["buckets"], "differing": busy["digests"]["buckets_differing"],
                "listed": busy["digests"]["buckets_listed"], "touched": busy["touched_judged"], "differences": busy["differences"]}


class Meter:
    """How much a reading grows while something is done."""

    def __init__(self, read):
        self.read = read

    def of(self, call):
        began = self.read()
        answer = call()
        return self.read() - began, answer


class Churn:
    """Deletes keys of the table and puts new ones, as many of each, at a steady rate."""

    def __init__(self, address):
        self.address, self.per_s, self.done = address, 1, 0

    def run(self, writes):
        began, sent = time.monotonic(), 0
        while sent < writes:
            requests = []
            for _ in range(12):
                requests.append({"PutRequest": {"Item": {"pk": {"S": f"new-{self.done:012}"}, "v": {"S": "x" * 950}}}})
                # Spread over the table, so that none is deleted twice.
                requests.append({"DeleteRequest": {"Key": {"pk": {"S": key_of(self.done * 7_919 % TOUCHED)}}}})
                self.done += 1
            batch_write(self.address, requests)
            sent += len(requests)
            time.sleep(max(0.0, began + sent / self.per_s - time.monotonic()))


def batch_write(address, requests):
    call = urllib.request.Request(
        f"http://{address}/", data=json.dumps({"RequestItems": {live.TABLE: requests}}).encode(),
        headers={"X-Amz-Target": "DynamoDB_20120810.BatchWriteItem", "Content-Type": "application/x-amz-json-1.0"})
    with urllib.request.urlopen(call, timeout=60) as answer:
        assert not json.loads(answer.read()).get("UnprocessedItems")


def key_of(number):
    return f"key-{number:012}"


def damage(address):
    """What is done to the target behind messina's back, to keys that the writer leaves alone: their keys by the verdict."""
    first = MILLION // 2
    keys = {"missing": [key_of(first + 3 * i) for i in range(OF_EACH)], "differs": [key_of(first + 3 * i + 1) for i in range(OF_EACH)],
            "extra": [f"extra-{i:04}" for i in range(OF_EACH)]}
    put = keys["differs"] + keys["extra"]
    requests = [{"PutRequest": {"Item": {"pk": {"S": key}, "v": {"S": "damaged"}}}} for key in put]
    requests += [{"DeleteRequest": {"Key": {"pk": {"S": key}}}} for key in keys["missing"]]
    for begin in range(0, len(requests), 25):
        batch_write(address, requests[begin:begin + 25])
    return keys


def addressed(at, state):
    return [f"dynamodb://us-east-1/{live.TABLE}", f"alternator://{at['alternator']}/{live.TABLE}", "--source-endpoint",
            f"http://{at['dynamodb']}", "--state", state, "--json"]


def ask_to_verify(beside, at, state, *flags):
    """Has the running migration verify, and gives the summary."""
    command = [beside.bin / "messina", "verify", *addressed(at, state), *flags]
    asked = subprocess.run(list(map(str, command)), env=beside.environment, capture_output=True, text=True, timeout=900)
    said = last_json_line(asked.stdout)
    if not said.get("finished"):
        raise RuntimeError(f"messina verify ended with {asked.returncode}: {asked.stderr[-1500:]} {asked.stdout[-1500:]}")
    return said


def verify_live(beside, at, state, damaged):
    """Has the running migration verify; what it reported, held against the damage."""
    began = time.monotonic()
    said = ask_to_verify(beside, at, state)
    seconds = time.monotonic() - began
    command = [beside.bin / "messina", "diff", *addressed(at, state)]
    listed = subprocess.run(list(map(str, command)), env=beside.environment, capture_output=True, text=True, timeout=300)
    found = {verdict: set() for verdict in damaged}
    for line in map(json.loads, filter(None, listed.stdout.splitlines())):
        if line.get("event") == "difference":
            found[line["verdict"]].add(line["key"]["pk"]["S"])
    right = all(found[verdict] == set(keys) for verdict, keys in damaged.items())
    return {"seconds": seconds, "compared": said["compared_items"], "touched": said["touched_judged"], "judged": said["keys_judged"],
            "unsettled": said["unsettled"], "found": {v: len(k) for v, k in found.items()}, "right": right}


def render(results):
    here = results["machine"]
    text = f"""# Verify

{here['cpu']}, {here['cores']} cores, commit {here['commit']}, {here['date']}; load average before: {results['load']:.2f}.
`python3 bench/verify.py` writes this file.

## Forward

CPU time of `messina verify --segment 0/1` of equal tables, one loop on one core, DynamoDB (signed) to Alternator by plain
HTTP, beside the parts that it cannot do without. Medians; ratios are taken within a round. The limit is {FORWARD_LIMIT}. No
server promises to answer a lookup in the order in which it was asked; in another one each item is found by its key. Nor
does any promise an order of attributes; in another one each attribute is found by its name.

Pages are moved as verify has them moved, with {LOOKUPS_AT_ONCE} lookups at once: one at a time costs the pump and verify more than
twice as much of the kernel's time.

Spans are those of one side; the ratio counts both, as the limit has it. Of equal items the target's are not looked for any more
(each is known by its bytes, or by those of its attributes): beside only what is still done, the source's spans, it is the ratio in brackets.

| items | answered | verify | moved | spans | CRC | hashes | ratio | |
|---|---|---|---|---|---|---|---|---|
"""
    for row in results.get("forward", []):
        part = {name: Sample([p[name] for p in row["parts"]]).median for name in ("moved", "spans", "crc", "hashes")}
        ratio = Sample(row["ratios"]).median
        strict = Sample(row["strict"]).median
        text += (f"| {row['items']:,} of {row['size']:,} B | {row['answered']} | {Sample(row['cpu_s']).median:.2f} s | {part['moved']:.2f} s | {part['spans']:.2f} s "
                 f"| {part['crc']:.2f} s | {part['hashes']:.2f} s | {ratio:.2f} ({strict:.2f}) | {'ok' if ratio <= FORWARD_LIMIT else 'missed'} |\n")
    if results.get("profile"):
        text += f"\nThe profile is of items of {SIZES[0]} B, answered as asked.\n" + "\n".join(profile_table(results["profile"])) + "\n"
    text += f"""
## Memory

Peak (VmHWM) of a whole verification, both passes. Allowed over the budget: {OVER_BUDGET // MIB} MiB, for the program and the digests,
which grow no more from about 30 million items on.

| budget | items | peak | over | |
|---|---|---|---|---|
"""
    for row in results.get("memory", []):
        over = row["peak"] - row["budget"]
        text += (f"| {row['budget'] // MIB} MiB | {row['items']:,} of {row['size']:,} B | {row['peak'] / MIB:.0f} MiB | {over / MIB:.0f} MiB "
                 f"| {'ok' if over <= OVER_BUDGET else 'missed'} |\n")
    if "million" in results:
        at = results["million"]
        found = ", ".join(f"{count} {verdict}" for verdict, count in at["found"].items())
        text += f"""
## A million items, written to

{MILLION:,} items in a live migration, {CHANGES:,} writes a second to half of them, {OF_EACH} differences of each kind among the others;
messina, both simulators and the writer on both cores. Reported: {found}; exactly what was damaged: {'yes' if at['right'] else '**no**'}.
It took {at['seconds']:.0f} s; {at['touched']:,} keys that were written to meanwhile were looked at, {at['judged']:,} keys judged, {at['unsettled']:,} left unsettled.
"""
    if "touched" in results:
        at = results["touched"]
        rcu, cpu = at["busy_rcu"] / at["quiet_rcu"], at["busy_cpu_s"] / at["quiet_cpu_s"]
        text += f"""
## Every bucket touched

{TOUCHED:,} items of 1 KB in {at['buckets']:,} buckets of a live migration; {at['touched']:,} keys were inserted and deleted while verify was at work.
{at['differing']:,} buckets differed, {at['listed']:,} of them were listed; {at['differences']} differences. The limit is {TOUCHED_LIMIT} times the cost at rest;
what capturing and applying the same writes cost alone, just before and after, is taken off the CPU time. Of {len(at['cpu_ratios'])} rounds the one with the median
ratio of CPU time; all of them: {', '.join(f'{r:.2f}' for r in at['cpu_ratios'])}.

| cost | at rest | written to | ratio | |
|---|---|---|---|---|
| RCU of both sides | {at['quiet_rcu']:,.0f} | {at['busy_rcu']:,.0f} | {rcu:.2f} | {'ok' if rcu <= TOUCHED_LIMIT else 'missed'} |
| CPU | {at['quiet_cpu_s']:.2f} s | {at['busy_cpu_s']:.2f} s | {cpu:.2f} | {'ok' if cpu <= TOUCHED_LIMIT else 'missed'} |
"""
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="build folder (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="rounds of each figure (default: %(default)s)")
    parser.add_argument("--mb", type=int, default=1_500, help="size of a table (default: %(default)s)")
    parser.add_argument("--only", choices=FIGURES, action="append", help="measure only this, and write no results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="messina-bench-") as work:
        bench = Bench(options, pathlib.Path(work))
        results = {"machine": machine(bench.build), "load": os.getloadavg()[0]}
        for what in options.only or FIGURES:
            results[what] = getattr(bench, what)()
    if options.only:
        print(json.dumps(results, indent=1))
        return
    (HERE / "RESULTS-verify.md").write_text(render(results))
    print(f"written: {HERE / 'RESULTS-verify.md'}")


if __name__ == "__main__":
    main()
