#!/usr/bin/env python3
"""Measures the spool against a bare RocksDB loop that writes the same bytes, and writes bench/RESULTS-spool.md.

    python3 bench/spool.py --build build/release [--events 1000000] [--runs 3] [--folder DIR]
    python3 bench/spool.py --build build/release --big     also with 20 GB spooled, under 2 GB of memory

Each run starts with an empty folder, in turns. The goal: at least 70 % of the bare loop's events a second, with 20 GB spooled
under 2 GB of memory as well. `--big` limits memory, the page cache included, by a memory cgroup or by systemd-run; where
there is neither it stops.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from harness import machine
from report import mark, table

HERE = pathlib.Path(__file__).resolve().parent
GOAL = 0.70


class Cgroup:
    """A memory cgroup for one command, of version 1 or 2; `name` is None where there is none."""

    def __init__(self, limit):
        self.path, self.name = None, None
        for base, file, name in ((pathlib.Path("/sys/fs/cgroup"), "memory.max", "cgroup v2"),
                                 (pathlib.Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "cgroup v1")):
            path = base / f"messina-bench-{os.getpid()}"
            try:
                path.mkdir()
            except OSError:
                continue
            try:
                if (path / "cgroup.procs").exists() and (path / file).exists():
                    (path / file).write_text(str(limit))
                    self.path, self.name = path, name
                    return
            except OSError:
                pass
            path.rmdir()
        systemd = pathlib.Path("/proc/1/comm").read_text().strip() == "systemd"
        if systemd and shutil.which("systemd-run"):
            self.name, self.limit = "systemd-run", limit

    def run(self, command):
        if self.path:
            join = lambda: (self.path / "cgroup.procs").write_text(str(os.getpid()))
            return subprocess.run(command, capture_output=True, text=True, preexec_fn=join)
        prefix = ["systemd-run", "--scope", "--quiet", "-p", f"MemoryMax={self.limit}", "-p", "MemorySwapMax=0"]
        return subprocess.run(prefix + command, capture_output=True, text=True)

    def close(self):
        if self.path:
            self.path.rmdir()


def measure(program, mode, folder, *more, cgroup=None):
    command = [str(program), mode, str(folder), *map(str, more)]
    done = cgroup.run(command) if cgroup else subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return json.loads(done.stdout)


def row(name, runs, bare=None):
    per_s = statistics.median(run["per_s"] for run in runs)
    cpu = statistics.median(run["cpu_s"] / run["events"] * 1e6 for run in runs)
    peak = max(run["peak_mib"] for run in runs)
    disk = max(run["disk_mib"] for run in runs)
    share = f"{per_s / bare:.0%}" if bare else ""
    return per_s, f"| {name} | {per_s:,.0f} | {share} | {cpu:.1f} | {peak:,} | {disk:,} |"


def small(program, scratch, events, runs):
    kinds = {"bare": [], "one": [], "eight": [], "apply": []}
    for turn in range(runs):
        print(f"turn {turn + 1} of {runs}", file=sys.stderr)
        kinds["bare"].append(measure(program, "bare", scratch / "bare", "--events", events))
        kinds["one"].append(measure(program, "put", scratch / "one", "--events", events))
        kinds["eight"].append(measure(program, "put", scratch / "eight", "--events", events, "--shards", 8))
        kinds["apply"].append(measure(program, "apply", scratch / "eight", "--events", events))
        for name in ("bare", "one", "eight"):
            shutil.rmtree(scratch / name)
    bare, first = row("bare RocksDB loop, 1,000 a group", kinds["bare"])
    one, second = row("spool, one shard", kinds["one"], bare)
    eight, third = row("spool, eight shards", kinds["eight"], bare)
    lines = [first, second, third, row("taken and settled again, nothing else", kinds["apply"])[1]]
    return lines, min(one, eight) / bare


def big(program, scratch, cgroup, gigabytes):
    """So much is spooled first, without a limit, by either, and compacted; then a million events more, in the cgroup."""
    lines, rates, fills = [], {}, {}
    for mode in ("bare", "put"):
        folder = scratch / f"big-{mode}"
        events = gigabytes * 1_000_000
        shared = ["--keys", events, "--shards", 8]
        filled = measure(program, mode, folder, "--events", events, "--in-order", "--rest", *shared)
        print(f"{mode}: {filled['disk_mib']:,} MiB on disk", file=sys.stderr)
        name = "bare RocksDB loop" if mode == "bare" else "spool, eight shards"
        lines.append(row(f"{name}, while those {gigabytes} GB are put, without a limit", [filled], fills.get("bare"))[1])
        fills[mode] = filled["per_s"]
        limited = measure(program, mode, folder, "--events", 1_000_000, *shared, cgroup=cgroup)
        rates[mode], line = row(f"{name}, on top of {gigabytes} GB", [limited], rates.get("bare"))
        lines.append(line)
        if mode == "put":
            lines.append(row("taken and settled from that", [measure(program, "apply", folder, "--events", 200_000, cgroup=cgroup)])[1])
        shutil.rmtree(folder)
    return lines, rates["put"] / rates["bare"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", type=pathlib.Path)
    parser.add_argument("--events", default=1_000_000, type=int)
    parser.add_argument("--runs", default=3, type=int)
    parser.add_argument("--big", action="store_true")
    parser.add_argument("--big-if-possible", action="store_true", help="as --big; where memory cannot be limited it is left out")
    parser.add_argument("--big-gb", default=20, type=int, help="of images, with --big")
    parser.add_argument("--big-memory-mb", default=2048, type=int, help="that --big may use, the page cache included")
    parser.add_argument("--folder", type=pathlib.Path, help="on the disk that is to be measured")
    parser.add_argument("--no-goal", action="store_true", help="end with 0 even if a goal is missed")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    program = options.build / "bench" / "bench_spool"
    cgroup = Cgroup(options.big_memory_mb << 20) if options.big or options.big_if_possible else None
    if cgroup and not cgroup.name and options.big:
        sys.exit("--big: there is neither a memory cgroup that this user may make nor systemd-run")
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="messina-bench-", dir=options.folder))
    try:
        lines, share = small(program, scratch, options.events, options.runs)
        goals = [("Events a second, the spool ÷ the bare loop", f"at least {GOAL:.0%}", f"{share:.0%}", mark(share >= GOAL))]
        notes = []
        figure = f"The same on top of {options.big_gb} GB, in {options.big_memory_mb:,} MiB of memory"
        if cgroup and not cgroup.name:
            goals.append((figure, f"at least {GOAL:.0%}", "not measured: there is neither a memory cgroup nor systemd-run", ""))
        if cgroup and cgroup.name:
            more, big_share = big(program, scratch, cgroup, options.big_gb)
            lines += more
            goals.append((figure, f"at least {GOAL:.0%}", f"{big_share:.0%}", mark(big_share >= GOAL)))
            notes.append(f"On top of {options.big_gb} GB: memory, the page cache included, was limited to {options.big_memory_mb:,} MiB by "
                         f"{cgroup.name}; what is below was written and compacted before, without a limit, by each in its own way.")
            share = min(share, big_share)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if cgroup:
            cgroup.close()
    on = machine(options.build)
    text = f"""# The spool

Made by `python3 bench/spool.py` on {on["date"]} at commit {on["commit"]}: {on["cpu"]}, {on["cores"]} cores, {on["memory_gb"]} GB;
load average at the start {load:.2f}. {options.events:,} events of 1 KB images over 5 million keys, synced; the median of {options.runs} runs.
The bare loop has RocksDB's default options (64 MiB a buffer); the spool has 128 MiB for all of its buffers and its cache.

{chr(10).join(table(("figure", "asked", "measured", ""), goals))}

| what | events/s | of the bare loop | CPU µs each | peak MiB | disk MiB |
|---|---:|---:|---:|---:|---:|
{chr(10).join(lines)}

{chr(10).join(notes)}
"""
    (HERE / "RESULTS-spool.md").write_text(text, encoding="utf-8")
    print(text)
    sys.exit(0 if share >= GOAL or options.no_goal else 1)


if __name__ == "__main__":
    main()
