#!/usr/bin/env python3
"""Measures messina and writes bench/RESULTS.md; `make bench` runs it after building.

Everything is measured on this machine in one go: `messina copy` between two tables of messina-sim's bench mode, and in
the same minute the parts that its work is made of (bench_pump, bench_parts), so that the ratio holds on any machine.
messina (with --loops 1) and the pump run on one core, messina-sim on another. CPU time is that of wait4(2).
"""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import profile_text as profile
import report
from harness import Sample, Server, certificate, last_json_line, machine, run_child, two_cores

MB = 1_000_000
MIB = 1 << 20
UNITS, WRITERS, SEGMENTS = 8, 16, 16  # messina's own defaults for one loop; the pump is given the same
ACCESS_KEY, SECRET_KEY_ENV = "AKIDEXAMPLEEXAMPLE00", "MESSINA_BENCH_SECRET"


@dataclasses.dataclass(frozen=True)
class Case:
    size: int  # bytes of an item's JSON text
    signed: bool
    tls: bool
    batch: int

    @property
    def limit(self):
        return 1.6 if self.size < 1000 else 1.25

    @property
    def name(self):
        size = f"{self.size // 1000} KB" if self.size >= 1000 else f"{self.size} B"
        return f"{size}, {'signed' if self.signed else 'unsigned'}, {'TLS' if self.tls else 'plain'}, {self.batch} a batch"


def matrix(quick):
    cases = [Case(size, signed, tls, batch) for size in (140, 1_000, 10_000, 100_000) for signed in (False, True)
             for tls in (False, True) for batch in (25, 100)]
    if quick:
        ends = {(False, False, 100), (True, True, 25)}
        cases = [c for c in cases if c.size == 1_000 or (c.signed, c.tls, c.batch) in ends]
    return cases


class Bench:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.build = pathlib.Path(options.build).resolve()
        self.messina = self.build / "bin" / "messina"
        self.sim = self.build / "bin" / "messina-sim"
        if not self.sim.exists():
            self.sim = self.build / "sim" / "messina-sim"
        self.pump = self.build / "bench" / "bench_pump"
        self.parts = self.build / "bench" / "bench_parts"
        self.micro = self.build / "bench" / "bench_micro"
        for program in (self.messina, self.sim, self.pump, self.parts):
            if not program.exists():
                sys.exit(f"{program} is missing: run `make bench`, which builds it first")
        self.core, self.sim_core = two_cores()
        os.sched_setaffinity(0, {self.sim_core})  # this script's polling is not messina's
        self.runs = options.runs or (3 if options.quick else 5)
        self.bytes = (500 if options.quick else 1500) * MB
        self.states = 0

    # ------------------------------------------------------------------------------------------- processes

    def server(self, case, items):
        """messina-sim in bench mode. Signed: from DynamoDB, whose pages have a CRC; else Alternator on both sides."""
        command = [self.sim, "--alternator", 0, "--bench", f"items={items},size={case.size},table=bench"]
        command += ["--dynamodb", 0] if case.signed else []
        if case.tls:
            cert, key = certificate(self.work)
            command += ["--tls-cert", cert, "--tls-key", key]
        return Server(command, self.sim_core, self.work / "sim.log")

    def copy_command(self, case, at, extra=()):
        self.states += 1
        state = self.work / f"state-{self.states}"
        scheme = "alternators" if case.tls else "alternator"
        # A table of its own: a target belongs to the migration whose tags it bears. As long a name as the pump writes to.
        target = f"{scheme}://{at['alternator']}/bench_{self.states:04}"
        source = "dynamodb://us-east-1/bench" if case.signed else f"{scheme}://{at['alternator']}/bench"
        command = [self.messina, "copy", source, target, "--state", state, "--json", "--loops", 1,
                   "--target-max-batch-items", case.batch]
        if "--segments" not in extra:
            command += ["--segments", SEGMENTS]
        if case.tls:
            command += ["--source-ca-file", self.work / "cert.pem", "--target-ca-file", self.work / "cert.pem"]
        command += ["--write-concurrency", WRITERS]  # as the pump has; the search for it is bench/pace.py's matter
        if case.signed:
            command += ["--read-rcu", "unlimited"]
            command += ["--source-endpoint", f"{'https' if case.tls else 'http'}://{at['dynamodb']}"]
            for side in ("source", "target"):
                command += [f"--{side}-access-key", ACCESS_KEY, f"--{side}-secret-key-env", SECRET_KEY_ENV]
        return command + list(extra), state

    def environment(self):
        keep = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and not k.lower().endswith("_proxy")}
        return keep | {SECRET_KEY_ENV: "a secret for nobody"}

    def copy(self, case, at, extra=()):
        command, state = self.copy_command(case, at, extra)
        done = run_child(command, self.core, self.work, self.environment())
        shutil.rmtree(state, ignore_errors=True)
        if done.status != 0:
            raise RuntimeError(f"messina copy ended with {done.status}: {done.stderr[-1500:]} {done.stdout[-1500:]}")
        return done

    def pump_run(self, case, at, dump):
        command = [self.pump, "--source", at["dynamodb" if case.signed else "alternator"], "--target", at["alternator"],
                   "--table", "bench", "--target-table", "bench_copy", "--segments", SEGMENTS, "--units", UNITS, "--writers", WRITERS,
                   "--batch", case.batch, "--dump", dump]
        command += ["--tls"] if case.tls else []
        command += ["--signed"] if case.signed else []
        done = run_child(command, self.core, self.work, watch=False)
        if done.status != 0:
            raise RuntimeError("the pump failed: " + done.stderr)
        return done, last_json_line(done.stdout)

    def parts_run(self, case, page):
        done = run_child([self.parts, "--page", page, "--table", "bench_copy", "--batch", case.batch, "--places", UNITS,
                          "--min-ms", 150], self.core, self.work, watch=False)
        if done.status != 0:
            raise RuntimeError("the parts failed: " + done.stderr)
        return last_json_line(done.stdout)

    # ------------------------------------------------------------------------------------------- figures

    def items_of(self, size, total_bytes=None):
        return max(1, int((total_bytes or self.bytes) / size))

    def bytes_of(self, case):
        """Neither signed nor by TLS, 1.5 GB are through in a second, of which the program's start would be some per cent; nobody
        migrates for a second."""
        return self.bytes if case.signed or case.tls or case.size < 1000 else 4 * self.bytes

    def measure(self, case):
        """One line of the matrix: rounds of copy, pump and parts, each ratio from the figures of one round, so that a machine
        that changes its speed between rounds does not show in it."""
        items = self.items_of(case.size, self.bytes_of(case))
        page = self.work / "page.json"
        copies, pumps, floors, pieces = [], [], [], []
        with self.server(case, items) as at:
            for _ in range(self.runs):
                copies.append(self.copy(case, at))
                pumped, moved = self.pump_run(case, at, page)
                pumps.append(pumped)
                parts = self.parts_run(case, page)
                # Segments end with short pages: parts are taken by bytes, not by pages.
                share = moved["page_bytes"] / parts["page_bytes"] / 1e9
                pieces.append({"split": parts["split_ns"] * share,
                               "crc": parts["crc32_ns"] * share if moved["page_crc"] else 0.0,
                               "sha": parts["sha256_ns"] * share if case.signed else 0.0})
                floors.append(pumped.cpu_s + sum(pieces[-1].values()))
        split, crc, sha = (Sample([p[what] for p in pieces]).median for what in ("split", "crc", "sha"))
        copy, pump = Sample([c.cpu_s for c in copies]), Sample([p.cpu_s for p in pumps])
        floor = Sample(floors).median
        ratio = Sample([c.cpu_s / f for c, f in zip(copies, floors)])
        result = {
            "case": dataclasses.asdict(case), "name": case.name, "limit": case.limit, "items": moved["items"],
            "bytes": moved["page_bytes"], "writes": moved["writes"], "copy_cpu_s": copy.values,
            "copy_user_s": [c.user_s for c in copies], "copy_system_s": [c.system_s for c in copies],
            "copy_elapsed_s": [c.elapsed_s for c in copies], "pump_cpu_s": pump.values, "split_s": split, "crc32_s": crc,
            "sha256_s": sha, "floor_s": floor, "copy_median_s": copy.median, "copy_spread": copy.spread,
            "pump_median_s": pump.median, "pump_spread": pump.spread, "ratio": ratio.median, "ratios": ratio.values,
            "items_per_cpu_s": moved["items"] / copy.median, "threads_cpu_s": copies[-1].threads,
        }
        result["ok"] = result["ratio"] <= case.limit
        print(f"{case.name:44} copy {copy.median:6.2f} s  parts {floor:6.2f} s  ratio {result['ratio']:.2f} "
              f"(limit {case.limit})  {result['items_per_cpu_s']:,.0f} items/s", flush=True)
        return result

    def memory(self):
        """Peak memory over the budget, for a small and a large table."""
        case = Case(1_000, False, False, 100)
        sizes = (300 * MB, 1_500 * MB) if self.options.quick else (1_000 * MB, 10_000 * MB)
        results = []
        for budget in (64, 256):
            for size in sizes:
                items = self.items_of(case.size, size)
                with self.server(case, items) as at:
                    done = self.copy(case, at, ("--memory", f"{budget}MiB"))
                results.append({"budget": budget * MIB, "table_bytes": size, "peak": done.peak_rss})
                print(f"memory: budget {budget} MiB, table {size // MB:,} MB: peak {done.peak_rss / MIB:.0f} MiB", flush=True)
        return results

    def ledger(self):
        """CPU share of the ledger's thread, and the price of many segments."""
        case = Case(1_000, False, False, 100)
        # Nobody cuts less into so many segments: of 12 MB each, they still end in a short page for every eleven full ones.
        items = self.items_of(case.size, (1_000 if self.options.quick else 12_000) * MB)
        result = {}
        with self.server(case, items) as at:
            runs = {16: [], 1_000: []}
            for _ in range(self.runs):
                for segments in runs:
                    runs[segments].append(self.copy(case, at, ("--segments", segments)))
        for segments, done in runs.items():
            cpu = Sample([d.cpu_s for d in done])
            shares = [sum(used for name, used in d.threads.items() if "ledger" in name) / d.cpu_s for d in done]
            result[str(segments)] = {"cpu_s": cpu.values, "elapsed_s": [d.elapsed_s for d in done],
                                     "median_s": cpu.median, "spread": cpu.spread, "ledger_share": max(shares),
                                     "threads": done[-1].threads}
            print(f"{segments} segments: {cpu.median:.2f} s of CPU, ledger {max(shares):.2%}", flush=True)
        result["many_to_few"] = Sample([many.cpu_s / few.cpu_s for few, many in zip(runs[16], runs[1_000])]).median
        return result

    def microbenchmarks(self):
        if not self.micro.exists():
            return None
        out = self.work / "micro.json"
        minimum = "0.05" if self.options.quick else "0.3"
        subprocess.run(["taskset", "-c", str(self.core), self.micro, f"--benchmark_min_time={minimum}",
                        f"--benchmark_out={out}", "--benchmark_out_format=json"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return json.loads(out.read_text())["benchmarks"]

    def profile(self, case):
        """Where messina's time goes in one case, by perf; None where there is no perf."""
        if not shutil.which("perf"):
            return None
        data = self.work / "perf.data"
        items = self.items_of(case.size)
        with self.server(case, items) as at:
            command, state = self.copy_command(case, at)
            record = subprocess.run(["taskset", "-c", str(self.core), "perf", "record", "-q", "-F", "999", "-e", "cpu-clock",
                                     "-o", data, "--", *map(str, command)], cwd=self.work, env=self.environment(),
                                    capture_output=True)
            shutil.rmtree(state, ignore_errors=True)
        if record.returncode != 0:
            return None
        text = subprocess.run(["perf", "report", "-i", data, "--no-children", "--stdio", "-F", "overhead,comm,dso,symbol"],
                              capture_output=True, text=True).stdout
        return profile.read(text)


def taken_into(former, results):
    """The former results with what was measured again in its place."""
    again = [key for key in ("ledger", "memory", "micro") if key in results]
    former.update({key: results[key] for key in again})
    newer = {row["name"]: row for row in results.get("matrix", [])}
    former["matrix"] = [newer.get(row["name"], row) for row in former["matrix"]]
    former.setdefault("again", []).append({"commit": results["machine"]["commit"], "date": results["machine"]["date"],
                                           "load": results["load"], "what": again + list(newer)})
    return former


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="build folder (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="fewer cases and smaller tables")
    parser.add_argument("--runs", type=int, help="runs of each figure (default: 5, quick: 3)")
    parser.add_argument("--only", choices=["matrix", "memory", "ledger", "micro"], action="append",
                        help="measure only this; results go to the JSON file, RESULTS.md stays as it is")
    parser.add_argument("--filter", default="", help="only cases of the matrix whose name contains this")
    parser.add_argument("--again", action="store_true",
                        help="take what is measured now into the results of the last run on this machine, and write RESULTS.md")
    options = parser.parse_args()
    wanted = set(options.only or ["matrix", "memory", "ledger", "micro"])
    partial = options.only is not None or options.filter != ""

    root = pathlib.Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory(prefix="messina-bench-") as folder:
        bench = Bench(options, pathlib.Path(folder))
        results = {"machine": machine(bench.build), "quick": options.quick, "runs": bench.runs, "load": os.getloadavg()[0]}
        if "micro" in wanted:
            results["micro"] = bench.microbenchmarks()
        if "matrix" in wanted:
            results["matrix"] = [bench.measure(case) for case in matrix(options.quick) if options.filter in case.name]
            missed = [r for r in results["matrix"] if not r["ok"]]
            for worst in sorted(missed, key=lambda r: r["limit"] - r["ratio"])[:2]:
                worst["profile"] = bench.profile(Case(**worst["case"]))
        if "ledger" in wanted:
            results["ledger"] = bench.ledger()
        if "memory" in wanted:
            results["memory"] = bench.memory()
        raw = bench.build / "bench" / "results.json"
        if options.again:
            results = taken_into(json.loads(raw.read_text()), results)
        raw.write_text(json.dumps(results, indent=1))
    print(f"raw figures: {raw}")
    if not partial or options.again:
        (root / "RESULTS.md").write_text(report.render(results))
        print(f"written: {root / 'RESULTS.md'}")


if __name__ == "__main__":
    main()
