#!/usr/bin/env python3
"""Measures a live migration against messina-sim and writes bench/RESULTS-live.md.

    python3 bench/live.py --build build/release [--only capture --only lag …]

Capture as a job beside a bare RocksDB loop; apply against the sum of its parts; copy with changes beside it; what the spool
holds meanwhile; a key written 10,000 times a second; the lag over 300 shards and where it breaks; memory while ten million
keys wait. messina runs on one core, messina-sim and the writer on another, unless a figure says otherwise. The stream's
limits (5 GetRecords a second of a shard) are DynamoDB's in all of them.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

import profile_text
import report_live
from harness import Server, Watch, last_json_line, machine, pinned, run_child, two_cores

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20
TABLE = "live"


class Messina:
    """A messina that is watched by its own progress events, and stopped when they say so."""

    def __init__(self, command, core, folder, environment, name):
        self.out_path = folder / f"{name}.jsonl"
        self.out = open(self.out_path, "wb")
        self.process = subprocess.Popen(pinned(core, command), stdout=self.out, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, cwd=folder, env=environment)
        self.watch = Watch(self.process.pid, 0.2)
        self.ended = None

    def events(self):
        lines = self.out_path.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"event":"progress"') and line.endswith("}")]

    def progress(self):
        """The newest progress event that tells of the live part."""
        return next((e for e in reversed(self.events()) if e.get("live")), None)

    def until(self, holds, timeout_s, why):
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            seen = self.progress()
            if seen and holds(seen):
                return seen
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"{why}: not within {timeout_s} s: " + self.out_path.read_text(errors="replace")[-1500:])

    def wait(self, timeout_s):
        """Until it ends by itself, well."""
        status = self.process.wait(timeout_s)
        self.watch.stop()
        self.out.close()
        if status != 0:
            raise RuntimeError(f"messina ended with {status}: " + self.out_path.read_text(errors="replace")[-1500:])

    def stop(self, well=(0, 3)):
        """CPU seconds and the peak of memory. `well`: exit codes that it may end with."""
        if self.ended:
            return self.ended
        self.process.send_signal(signal.SIGINT)
        killer = threading.Timer(60, self.process.kill)
        killer.start()
        _, status, used = os.wait4(self.process.pid, 0)
        killer.cancel()
        self.process.returncode = os.waitstatus_to_exitcode(status)
        peak, threads = self.watch.stop()
        self.out.close()
        if self.process.returncode not in well:
            raise RuntimeError(f"messina ended with {self.process.returncode}: "
                               + self.out_path.read_text(errors="replace")[-1500:])
        self.ended = (used.ru_utime + used.ru_stime, peak, threads)
        return self.ended

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.ended and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def threads_of(pid):
    """CPU seconds by the name of a thread."""
    used = {}
    for task in (pathlib.Path("/proc") / str(pid) / "task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            used[name] = used.get(name, 0.0) + int((task / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):
            pass  # it has ended
    return used


def since(before, after, seconds):
    """Cores that threads were busy on, those that count."""
    busy = {name: (used - before.get(name, 0.0)) / seconds for name, used in after.items()}
    return {name: round(share, 2) for name, share in sorted(busy.items(), key=lambda e: -e[1]) if share >= 0.02}


def seconds_of(event):
    """Of a progress event's time, within a day."""
    hours, minutes, seconds = event["time"][11:-1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def steady_rate(events, what):
    """A second of the counter `what`, from where it moves to where it stands still."""
    points = [(seconds_of(e), e["live"][what]) for e in events if e.get("live")]
    last = max(value for _, value in points)
    moving = [p for p in points if 0 < p[1] < last]
    if len(moving) < 3:
        raise RuntimeError(f"{what}: too short to measure: {points}")
    return (moving[-1][1] - moving[0][1]) / (moving[-1][0] - moving[0][0])


class Bench:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.build = options.build.resolve()
        self.bin, self.bench = self.build / "bin", self.build / "bench"
        self.core, self.sim_core = two_cores()
        self.both = f"{self.core},{self.sim_core}"
        self.runs = 1 if options.quick else 3
        self.scale = 0.1 if options.quick else 1.0
        self.environment = {k: v for k, v in os.environ.items()
                            if not k.startswith("AWS_") and not k.lower().endswith("_proxy")}
        self.environment |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
        self.count = 0

    # --------------------------------------------------------------------------------------- pieces

    def sim(self, *flags, core=None):
        command = [self.bin / "messina-sim", "--dynamodb", 0, "--alternator", 0, "--on-demand", *flags]
        return Server(command, self.sim_core if core is None else core, self.work / "sim.log")

    def messina(self, what, at, state, *flags, core=None, table_name=TABLE):
        command = [self.bin / "messina", what, f"dynamodb://us-east-1/{table_name}",
                   f"alternator://{at['alternator']}/{table_name}", "--source-endpoint", f"http://{at['dynamodb']}",
                   "--json", "--state", state, *flags]
        self.count += 1
        return Messina(command, self.core if core is None else core, self.work, self.environment, f"messina-{self.count}")

    def writer(self, at, *flags):
        return pinned(self.sim_core, [self.bench / "bench_writer", "--to", at["dynamodb"], "--table", TABLE, *flags])

    def write(self, at, *flags):
        done = subprocess.run(self.writer(at, *flags), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout)

    def tool(self, name, *arguments, core=None):
        done = run_child([self.bench / name, *arguments], self.core if core is None else core, self.work, watch=False)
        if done.status != 0:
            raise RuntimeError(f"{name}: {done.stderr}")
        return done, last_json_line(done.stdout)

    def ask(self, address, path, body=None):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else None
        with urllib.request.urlopen(urllib.request.Request(f"http://{address}/_sim/{path}", data=data), timeout=60) as answer:
            return json.loads(answer.read() or b"{}")

    def begin_capture(self, at, shards):
        """A state directory whose migration has begun to capture."""
        self.count += 1
        state = self.work / f"state-{self.count}"
        with self.messina("capture", at, state, "--enable-stream", "NEW_IMAGE") as capture:
            capture.until(lambda e: e["live"]["shards_reading"] >= shards, 30, "capture begins")
            capture.stop()
        return state

    def again(self, state):
        """A fresh copy of a state directory."""
        self.count += 1
        fresh = self.work / f"state-{self.count}"
        shutil.copytree(state, fresh)
        return fresh

    @staticmethod
    def spool_of(state):
        return next(state.glob("*/spool"))

    # --------------------------------------------------------------------------------------- figures

    def capture(self):
        """The job, all of it, beside a bare RocksDB loop that writes as many images of the size."""
        events, size, shards = 600_000 if self.options.quick else 1_000_000, 1000, 64
        bare, jobs = [], []
        server = self.sim("--table", f"{TABLE}:pk=S", "--stream-shards", shards, core=self.both)
        with server as at:
            begun = self.begin_capture(at, shards)
            self.write(at, "--items", events, "--bytes", size)
            for _ in range(self.runs):
                folder = self.work / "bare"
                _, loop = self.tool("bench_spool", "bare", folder, "--events", events, "--keys", events, core=self.both)
                shutil.rmtree(folder)
                bare.append(loop)
                before = sum(threads_of(server.process.pid).values())
                told, (cpu_s, _, threads), _ = self.captured(at, begun, events)
                sim_s = sum(threads_of(server.process.pid).values()) - before
                jobs.append({"per_s": steady_rate(told, "events"), "cpu_us": cpu_s / events * 1e6, "threads": threads,
                             "sim_us": sim_s / events * 1e6})
                print(f"capture: {jobs[-1]['per_s']:,.0f}/s, {jobs[-1]['cpu_us']:.1f} µs; bare {loop['per_s']:,.0f}/s", flush=True)
            share = statistics.median(j["per_s"] / b["per_s"] for j, b in zip(jobs, bare))
            missed = share < report_live.CAPTURE_SHARE
            profile = self.captured(at, begun, events, profiled=True)[2] if missed else None
        return {"events": events, "shards": shards, "profile": profile,
                "sim_us": statistics.median(j["sim_us"] for j in jobs),
                "bare_per_s": statistics.median(b["per_s"] for b in bare),
                "bare_cpu_us": statistics.median(b["cpu_s"] / b["events"] * 1e6 for b in bare),
                "per_s": statistics.median(j["per_s"] for j in jobs),
                "share": share,
                "cpu_us": statistics.median(j["cpu_us"] for j in jobs), "threads": jobs[-1]["threads"]}

    def captured(self, at, begun, events, profiled=False):
        """All of the stream; what was told meanwhile, what stop() says, and a profile."""
        state = self.again(begun)
        with self.messina("capture", at, state, core=self.both) as capture:
            perf = self.attach_perf(capture) if profiled else None
            capture.until(lambda e: e["live"]["events"] >= events, 300, "all is captured")
            profile = self.end_perf(perf)
            told, ended = capture.events(), capture.stop()
        shutil.rmtree(state)
        return told, ended, profile

    def attach_perf(self, messina):
        """None where there is no perf."""
        if not shutil.which("perf"):
            return None
        return subprocess.Popen(["perf", "record", "-q", "-F", "499", "-e", "cpu-clock", "-o", self.work / "perf.data", "-p",
                                 str(messina.process.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end_perf(self, perf):
        if perf is None:
            return None
        perf.send_signal(signal.SIGINT)
        perf.wait(60)
        text = subprocess.run(["perf", "report", "-i", self.work / "perf.data", "--no-children", "--stdio", "-F",
                               "overhead,comm,dso,symbol"], capture_output=True, text=True).stdout
        return profile_text.read(text)

    def apply(self):
        """CPU until a spool is empty, against its requests alone and the spool's reads and removals alone."""
        keys, size = 300_000 if self.options.quick else 1_000_000, 1000
        rounds = []
        with self.sim("--table", f"{TABLE}:pk=S", "--bench", f"items=1,size={size},table=unused") as at:
            full = self.begin_capture(at, 4)
            with self.messina("copy", at, full) as history:  # of no items: changes are applied once it was begun
                history.wait(60)
            self.fill(full, keys, size)
            for _ in range(self.runs):
                told, (cpu_s, _, threads), _ = self.applied(at, full, keys, "10ms")
                state = self.again(full)
                spool, _ = self.tool("bench_spool", "apply", self.spool_of(state), "--events", keys, "--into-migration")
                shutil.rmtree(state)
                writes, _ = self.tool("bench_writes", "--target", at["alternator"], "--items", keys, "--bytes", size)
                rounds.append({"cpu_s": cpu_s, "spool_s": spool.cpu_s, "writes_s": writes.cpu_s,
                               "ratio": cpu_s / (spool.cpu_s + writes.cpu_s), "threads": threads, "per_s": steady_rate(told, "applied")})
                print("apply: " + ", ".join(f"{k} {v:.2f}" for k, v in rounds[-1].items() if isinstance(v, float)), flush=True)
            ratio = statistics.median(r["ratio"] for r in rounds)
            held = self.applied(at, full, keys, "1s")[0]
            profile = self.applied(at, full, keys, "10ms", profiled=True)[2] if ratio > report_live.APPLY_RATIO else None
        result = {name: statistics.median(r[name] for r in rounds) for name in ("cpu_s", "spool_s", "writes_s", "per_s")}
        return result | {"keys": keys, "ratio": ratio, "ratios": [r["ratio"] for r in rounds], "threads": rounds[-1]["threads"],
                         "held_per_s": steady_rate(held, "applied"), "profile": profile}

    def applied(self, at, full, keys, clock_error, profiled=False):
        """As captured()."""
        state = self.again(full)
        with self.messina("apply", at, state, "--loops", 1, "--clock-error", clock_error) as apply:
            perf = self.attach_perf(apply) if profiled else None
            apply.until(lambda e: e["live"]["applied"] >= keys, 300, "all is applied")
            profile = self.end_perf(perf)
            told, ended = apply.events(), apply.stop()
        shutil.rmtree(state)
        return told, ended, profile

    def fill(self, state, keys, size):
        """Keys that wait in the spool of a migration that has captured."""
        return self.tool("bench_spool", "put", self.spool_of(state), "--events", keys, "--keys", keys, "--value", size,
                         "--in-order", "--shards", 8, "--into-migration", core=self.both)[1]

    def beside(self):
        """Items a second of a copy, with and without changes beside it."""
        settings = [("--read-rcu 2000, 20 ms a write", 2000, 20, 2_000), ("as fast as it goes", None, 0, 2_000)]
        rows = []
        for name, rcu, write_ms, changes in settings:
            seconds = 10 if self.options.quick else 20
            per_s = rcu * 4 if rcu else 1_000_000
            bench = f"items={int(per_s * seconds)},size=1000,table={TABLE},write-ms={write_ms}"
            speeds = {}
            for live in (False, True):
                with self.sim("--bench", bench) as at:
                    speeds[live] = self.copied(at, rcu, changes if live else 0)
            rows.append({"name": name, "alone": speeds[False], "beside": speeds[True], "changes": changes,
                         "slower": 1 - speeds[True]["per_s"] / speeds[False]["per_s"]})
            print(f"beside: {rows[-1]}", flush=True)
        return rows

    def copied(self, at, rcu, changes):
        self.count += 1
        flags = ["--read-rcu", rcu or "unlimited", "--into-existing"] + (["--enable-stream", "NEW_IMAGE"] if changes else [])
        with self.messina("migrate" if changes else "copy", at, self.work / f"state-{self.count}", *flags, core=self.both) as copy:
            writer = None
            if changes:
                copy.until(lambda e: e["live"]["capturing"], 30, "it captures")
                writer = subprocess.Popen(list(map(str, self.writer(at, "--per-s", changes, "--seconds", 600, "--bytes", 1000))),
                                          stdout=subprocess.DEVNULL)
            try:
                end = time.monotonic() + 300
                points = []
                while time.monotonic() < end:
                    points = [(seconds_of(e), e["counts"]["written_items"], e) for e in copy.events()]
                    if points and (copy.process.poll() is not None or points[-1][2]["phase"] in ("following", "done")):
                        break
                    time.sleep(0.2)
            finally:
                if writer:
                    writer.kill()
                    writer.wait()
            moving = [p for p in points if 0 < p[1] < points[-1][1]]
            live = [e["live"] for _, _, e in points if e.get("live")]
            if copy.process.poll() is None:
                copy.stop()
        # The first seconds are the search for the speed of the writes.
        late = moving[len(moving) // 4:]
        return {"per_s": (late[-1][1] - late[0][1]) / (late[-1][0] - late[0][0]), "seconds": late[-1][0] - late[0][0],
                "applied": live[-1]["applied"] if live else 0}

    def window(self):
        """What waits in the spool while a copy runs for a while."""
        rcu, seconds, changes, keys = 1000, 20 if self.options.quick else 90, 2_000, 200_000
        bench = f"items={rcu * 4 * seconds},size=1000,table={TABLE},write-ms=20"
        with self.sim("--bench", bench) as at:
            self.count += 1
            with self.messina("migrate", at, self.work / f"state-{self.count}", "--read-rcu", rcu, "--into-existing",
                              "--enable-stream", "NEW_IMAGE", core=self.both) as migrate:
                migrate.until(lambda e: e["live"]["capturing"], 30, "it captures")
                writer = subprocess.Popen(list(map(str, self.writer(
                    at, "--per-s", changes, "--seconds", 600, "--bytes", 1000, "--keys", keys))), stdout=subprocess.DEVNULL)
                try:
                    migrate.until(lambda e: e["phase"] == "following", 300, "history is copied")
                finally:
                    writer.kill()
                    writer.wait()
                lives = [e["live"] for e in migrate.events() if e.get("live") and e["phase"] != "following"]
                migrate.stop()
        late = lives[3:]
        result = {"seconds": len(lives), "changes": changes, "rcu": rcu,
                  "keys_median": statistics.median(v["spool_keys_at_most"] for v in late),
                  "keys_most": max(v["spool_keys_at_most"] for v in late),
                  "oldest_median": statistics.median(v["oldest_change_s"] or 0 for v in late),
                  "oldest_most": max(v["oldest_change_s"] or 0 for v in late)}
        print(f"window: {result}", flush=True)
        return result

    def hot(self):
        """Writes that a key costs at the target that is written 10,000 times within a second at the source."""
        with self.sim("--table", f"{TABLE}:pk=S") as at:
            self.count += 1
            with self.messina("migrate", at, self.work / f"state-{self.count}", "--enable-stream", "NEW_IMAGE") as migrate:
                migrate.until(lambda e: e["live"]["in_step"], 60, "in step")
                self.ask(at["alternator"], "faults", {"kind": "latency", "operation": "BatchWriteItem", "ms": 50})
                before = self.target_writes(at)
                began = time.monotonic()
                for n in range(100):
                    lines = "\n".join(json.dumps({"pk": {"S": "hot"}, "n": {"N": str(n * 100 + i + 1)}}) for i in range(100))
                    self.ask(at["dynamodb"], f"tables/{TABLE}/load", lines)
                    time.sleep(max(0.0, began + (n + 1) * 0.01 - time.monotonic()))
                took = time.monotonic() - began
                self.until_equal(at)
                arrived = time.monotonic() - began
                time.sleep(3)  # what is still to come is a write, too
                writes = self.target_writes(at) - before
                events = migrate.progress()["live"]["events"]
                migrate.stop()
        result = {"writes": writes, "took_s": took, "arrived_s": arrived, "events": events}
        print(f"hot: {result}", flush=True)
        return result

    def target_writes(self, at):
        calls = self.ask(at["alternator"], "stats")["calls"]
        return sum(calls.get(name, 0) for name in ("BatchWriteItem", "PutItem", "DeleteItem", "UpdateItem"))

    def until_equal(self, at):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            dump = urllib.request.urlopen(f"http://{at['alternator']}/_sim/tables/{TABLE}/dump", timeout=30).read()
            if b'"10000"' in dump:
                return
            time.sleep(0.05)
        raise RuntimeError("the last state of the hot key does not arrive")

    def lag(self):
        """Marked items, from before their write at the source until they are to be seen at the target."""
        shards, seconds = 300, 6 if self.options.quick else 12
        rates = [2_000, 5_000] if self.options.quick else [10_000, 20_000, 30_000, 40_000, 50_000, 60_000]
        rows = []
        server = self.sim("--table", f"{TABLE}:pk=S", "--stream-shards", shards, "--stream-retention-seconds", 60, core=self.both)
        with server as at:
            self.count += 1
            with self.messina("migrate", at, self.work / f"state-{self.count}", "--enable-stream", "NEW_IMAGE",
                              "--stream-retention", "60s", core=self.both) as migrate:
                migrate.until(lambda e: e["live"]["in_step"], 60, "in step")
                for step, rate in enumerate(rates):
                    before = len(migrate.events())
                    began = time.monotonic()
                    used = {"messina": threads_of(migrate.process.pid), "messina-sim": threads_of(server.process.pid)}
                    done = self.write(at, "--per-s", rate, "--seconds", seconds, "--bytes", 200, "--keys", 1_000_000, "--seen-at",
                                      at["alternator"], "--seen-table", TABLE, "--first-mark", step * 100_000)
                    lags = [e["live"]["lag_s"] for e in migrate.events()[before:] if e["live"]["lag_s"] is not None]
                    took = time.monotonic() - began
                    used = {"messina": since(used["messina"], threads_of(migrate.process.pid), took),
                            "messina-sim": since(used["messina-sim"], threads_of(server.process.pid), took)}
                    rows.append({"rate": rate, "told_s": max(lags, default=0), **done, "used": used})
                    print(f"lag: {rows[-1]}", flush=True)
                    if not report_live.lag_holds(rows[-1]):
                        break
                    migrate.until(lambda e: e["live"]["in_step"], 60, "in step again")
                migrate.stop()
        return rows

    def memory(self):
        """The peak of an applier whose target stands still while ten million keys wait."""
        keys, size, budget = int(10_000_000 * self.scale), 100, 256
        with self.sim("--table", f"{TABLE}:pk=S") as at:
            state = self.begin_capture(at, 4)
            filled = self.fill(state, keys, size)
            print(f"memory: filled: {filled}", flush=True)
            results = []
            # The first write of the one brings the target to a halt; the other's are slow.
            for name, job, fault in (("slow target, migrate", "migrate", {"kind": "latency", "ms": 50}),
                                     ("target that stands still, apply", "apply", {"kind": "stop", "ms": 3_600_000})):
                self.ask(at["alternator"], "faults", {**fault, "operation": "BatchWriteItem"})
                with self.messina(job, at, state, "--memory", f"{budget}MiB", core=self.both) as run:
                    run.until(lambda e: e["live"]["spool_keys_at_most"] > 0, 60, "it looks at the spool")
                    time.sleep(4 if self.options.quick else 15)
                    live = run.progress()["live"]
                    _, peak, _ = run.stop()
                results.append({"name": name, "keys": keys, "waiting": live["spool_keys_at_most"], "applied": live["applied"], "peak": peak,
                                "budget": budget * MIB})
                print(f"memory: {results[-1]}", flush=True)
                self.ask(at["alternator"], "faults", {"clear": 1})
        return results


FIGURES = ("capture", "apply", "beside", "window", "hot", "lag", "memory")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--quick", action="store_true", help="small runs, to see that all of it works; nothing is written")
    parser.add_argument("--only", choices=FIGURES, action="append", help="measure only this; without --again nothing is written")
    parser.add_argument("--again", action="store_true",
                        help="take what is measured now into the results of the last run on this machine, and write them")
    parser.add_argument("--folder", type=pathlib.Path, help="on the disk that is to be measured")
    options = parser.parse_args()
    raw = options.build / "bench" / "results-live.json"
    results = {"machine": machine(options.build), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(prefix="messina-bench-", dir=options.folder) as folder:
        bench = Bench(options, pathlib.Path(folder))
        for figure in options.only or FIGURES:
            results[figure] = getattr(bench, figure)()
    if options.again:
        results = json.loads(raw.read_text()) | results
    text = report_live.render(results)
    if not options.quick and (options.again or not options.only):
        raw.write_text(json.dumps(results, indent=1))
        (HERE / "RESULTS-live.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
