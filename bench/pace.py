#!/usr/bin/env python3
"""Measures how well messina keeps its pace, and writes bench/RESULTS-pace.md and two pictures beside it.

    ninja -C build/release messina messina-sim bench_pace_model
    python3 bench/pace.py --build build/release           about seven minutes, on a quiet machine
    python3 bench/pace.py --build build/release --quick   does it run? A minute; writes nothing

The step responses are computed in virtual time by bench_pace_model. The figures of the whole program are counted by
messina-sim, second by second: messina copies from it to it, with 200 ms a page and 20 ms a write, and is stopped after
the time that was to be measured. Only the standard library is used.
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
PAGE_MS, WRITE_MS = 200, 20
WARM_UP_S = 5  # of each copy: estimates are corrected and units added
TAIL_S = 5  # so much more than can be read is in each table, since its end is read by fewer units
DEADLINE_S = 300


def svg(path, title, lines, unit):
    """`lines`: (name, colour, values a second)."""
    width, height, left, top = 860, 300, 60, 30
    seconds = max(len(values) for _, _, values in lines)
    most = max(max(values) for _, _, values in lines) * 1.05
    x = lambda i: left + i * (width - left - 10) / max(1, seconds - 1)
    y = lambda v: top + (height - top - 30) * (1 - v / most)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/><text x="{left}" y="18">{title}</text>']
    for part in range(5):
        value = most * part / 4
        out.append(f'<line x1="{left}" x2="{width - 10}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>'
                   f'<text x="4" y="{y(value) + 4:.1f}">{value:,.0f}</text>')
    for second in range(0, seconds, 10):
        out.append(f'<text x="{x(second):.1f}" y="{height - 10}">{second} s</text>')
    for place, (name, colour, values) in enumerate(lines):
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(values))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
                   f'<text x="{width - 260 + 130 * place}" y="18" fill="{colour}">{name} ({unit[place]})</text>')
    path.write_text("\n".join(out) + "\n</svg>\n")


class Sim:
    """messina-sim for one measurement."""

    def __init__(self, build, *flags):
        self.process = subprocess.Popen([build / "bin" / "messina-sim", "--dynamodb", "0", "--alternator", "0", *flags],
                                        stdout=subprocess.PIPE, text=True)
        fields = dict(f.split("=", 1) for f in self.process.stdout.readline().split()[1:])
        self.dynamodb, self.alternator = fields["dynamodb"], fields["alternator"]
        self.fault(self.dynamodb, kind="latency", operation="Scan", ms=PAGE_MS)
        self.fault(self.alternator, kind="latency", operation="BatchWriteItem", ms=WRITE_MS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def ask(self, path, body=None, target=None, address=None):
        request = urllib.request.Request(f"http://{address or self.dynamodb}/{path}", data=body,
                                         headers={"X-Amz-Target": target} if target else {})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read() or b"{}")

    def fault(self, address, **rule):
        self.ask("_sim/faults", json.dumps(rule).encode(), address=address)

    def make(self, table, rcu, item_bytes, provisioned=None):
        """A table of about `rcu` RCU, and a hundred small items of an application."""
        throughput = {"BillingMode": "PAY_PER_REQUEST"}
        if provisioned:
            throughput = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": {
                "ReadCapacityUnits": provisioned, "WriteCapacityUnits": provisioned}}
        self.ask("", json.dumps({
            "TableName": table, **throughput, "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}).encode(),
                 "DynamoDB_20120810.CreateTable")
        lines = [json.dumps({"id": {"S": key}}) for key in APPLICATION_KEYS]
        self.ask(f"_sim/tables/{table}/load", "\n".join(lines).encode())
        fill = "x" * (item_bytes - 20)
        items, at_once = rcu * 4096 // item_bytes, max(1, 20_000_000 // item_bytes)
        for begin in range(0, items, at_once):
            lines = "\n".join(f'{{"id":{{"S":"{n:07}"}},"fill":{{"S":"{fill}"}}}}'
                              for n in range(begin, min(items, begin + at_once)))
            self.ask(f"_sim/tables/{table}/load", lines.encode())

    def consumed(self, table):
        """{"now", "seconds": {second: RCU}, "throttled_reads", "throttled_writes"}"""
        answer = self.ask(f"_sim/tables/{table}/consumed")
        return {**answer, "seconds": {second: reads for second, reads, _ in answer["seconds"]}}


@contextlib.contextmanager
def copying(build, sim, *flags):
    """A copy of the table "paced", for as long as the `with` block lasts. Gives the file that its events go to."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    env.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_ENDPOINT_URL_CLOUDWATCH=f"http://{sim.dynamodb}")
    with tempfile.TemporaryDirectory() as folder:
        events = pathlib.Path(folder) / "events"
        with open(events, "wb") as out:
            process = subprocess.Popen(
                [build / "bin" / "messina", "copy", "dynamodb://us-east-1/paced", f"alternator://{sim.alternator}/paced",
                 "--source-endpoint", f"http://{sim.dynamodb}", "--json", "--state", f"{folder}/state", *map(str, flags)],
                env=env, stdout=out, stderr=out)
        try:
            yield events
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(DEADLINE_S)
            if status not in (0, 3):
                raise RuntimeError(f"messina ended with {status}: " + events.read_text()[-2000:])


def seconds_read(sim, table="paced", before=None):
    """RCU of each whole second from the first read on, up to `before`."""
    seconds = {s: r for s, r in sim.consumed(table)["seconds"].items() if r > 0 and (before is None or s < before)}
    return [seconds.get(s, 0) for s in range(min(seconds), max(seconds) + 1)]


def wait_for_reads(sim, more_than=0):
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        if sum(sim.consumed("paced")["seconds"].values()) > more_than:
            return
        time.sleep(0.05)
    raise RuntimeError("nothing is read")


def keep_budget(build, rate, seconds):
    """The share of a budget that was used, and the most beyond it in 10 s."""
    # Beyond some thousands a second the simulator itself would be measured: there it renders its pages in advance.
    rcu, flags = rate * (seconds + TAIL_S), ()
    if rate > 2000:
        flags = ("--bench", f"items={rcu * 4},size=1024,table=paced,page-ms={PAGE_MS},write-ms={WRITE_MS}")
    with Sim(build, *flags) as sim:
        if not flags:
            sim.make("paced", rcu, 4000)
        with copying(build, sim, "--read-rcu", rate):
            wait_for_reads(sim)
            time.sleep(seconds)
            values = seconds_read(sim, before=sim.consumed("paced")["now"])
    inner = values[WARM_UP_S:]
    return {"rate": rate, "used": sum(inner) / (rate * len(inner)),
            "overshoot": max(sum(values[i:i + 10]) for i in range(max(1, len(values) - 9))) / (rate * 10) - 1}


APPLICATION_KEYS = [f"application-{n:03}" for n in range(100)]


class Application(threading.Thread):
    """Reads `rate` RCU/s and writes a tenth of it in WCU/s on a connection of its own, in calls of 25 units, and counts
    what was refused. `rate` may be changed while it runs."""

    def __init__(self, sim, table, rate):
        super().__init__(daemon=True)
        self.address, self.table, self.rate = sim.dynamodb, table, rate
        self.over = threading.Event()
        self.throttled = self.calls = 0
        keys = [{"id": {"S": key}} for key in APPLICATION_KEYS[:25]]
        self.read = json.dumps({"RequestItems": {table: {"ConsistentRead": True, "Keys": keys}}})
        self.write = json.dumps({"RequestItems": {table: [{"PutRequest": {"Item": key}} for key in keys]}})
        self.start()

    def run(self):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        due, at = 0.0, time.monotonic()
        while not self.over.is_set():
            now = time.monotonic()
            due, at = due + self.rate * (now - at), now
            while due >= 25:
                due -= 25
                self.call(connection, "BatchGetItem", self.read)
                if self.calls % 11 == 10:
                    self.call(connection, "BatchWriteItem", self.write)
            time.sleep(0.005)

    def call(self, connection, operation, body):
        connection.request("POST", "/", body, {"X-Amz-Target": f"DynamoDB_20120810.{operation}",
                                               "Content-Type": "application/x-amz-json-1.0"})
        answer = connection.getresponse()
        text = json.loads(answer.read())
        self.calls += 1
        left = text.get("UnprocessedKeys") or text.get("UnprocessedItems")
        if answer.status != 200 and "Throughput" not in str(text):
            raise RuntimeError(f"{operation}: {text}")
        self.throttled += answer.status != 200 or bool(left)

    def stop(self):
        self.over.set()
        self.join()


def share_table(build, capacity, seconds):
    """An application uses a fifth of a table's capacity, and twice as much from the middle on. The copy takes what it
    takes by default: half of what CloudWatch says is free."""
    application_rate = capacity // 5
    with Sim(build, "--metrics-delay-ms", "1000") as sim:
        sim.make("paced", int(capacity * 0.4 * (seconds + TAIL_S)), 4000, capacity)
        sim.ask("_sim/tables/paced/consumed", json.dumps({"reads": application_rate, "writes": 0, "seconds": 600}).encode())
        before = sum(sim.consumed("paced")["seconds"].values())
        application = Application(sim, "paced", application_rate)
        with copying(build, sim) as events:
            wait_for_reads(sim, before + application_rate)
            time.sleep(seconds / 2)
            application.rate *= 2
            time.sleep(seconds / 2)
            told = [json.loads(line) for line in events.read_text().splitlines() if '"progress"' in line]
        application.stop()
        consumed = sim.consumed("paced")
    budgets = [p["read_budget_rcu_per_s"] for p in told if p["read_budget_rcu_per_s"]]
    return {"capacity": capacity, "application": application_rate, "calls": application.calls,
            "throttled": application.throttled + consumed["throttled_reads"] + consumed["throttled_writes"],
            "first": budgets[0], "last": budgets[-1]}


def stall(build, rate, stall_s, after_s):
    """The seconds after a target's stall until three in a row have 95 % of the speed before it; None: never."""
    warm = WARM_UP_S + 10
    with Sim(build) as sim:
        sim.make("paced", rate * (warm + after_s + TAIL_S), 4000)
        with copying(build, sim, "--read-rcu", rate):
            wait_for_reads(sim)
            time.sleep(warm)
            began = sim.consumed("paced")["now"]
            sim.fault(sim.alternator, kind="stop", operation="BatchWriteItem", ms=stall_s * 1000, count=1)
            time.sleep(stall_s + after_s)
            consumed = sim.consumed("paced")
    read = consumed["seconds"]
    former = sum(read.get(s, 0) for s in range(began - 10, began)) / 10
    speeds = [sum(read.get(s + i, 0) for i in range(3)) / 3 for s in range(began + stall_s, consumed["now"] - 3)]
    back = next((i for i, speed in enumerate(speeds) if speed >= 0.95 * former), None)
    last_s = read.get(began + stall_s - 2, 0)
    windows = range(min(read), max(read) - 8)
    return {"rate": rate, "former": former, "in_stall": last_s, "back": back,
            "overshoot": max(sum(read.get(s + i, 0) for i in range(10)) for s in windows) / (rate * 10) - 1}


def report(row):
    print(row, flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--quick", action="store_true", help="short runs, to see that all of it works; nothing is written")
    args = parser.parse_args()
    build = args.build.resolve()
    model = json.loads(subprocess.run([next(build.glob("**/bench_pace_model"))], check=True, capture_output=True).stdout)
    lines = ["# Pace", "",
             f"Made by `python3 bench/pace.py` on {time.strftime('%Y-%m-%d')}, load average at the start {os.getloadavg()[0]:.2f}.",
             "Goals: at least 95 % of a budget is used, with 200 ms a page and 20 ms a write; no ten seconds hold over 102 % of it;",
             "an application that shares the table is never throttled, also when its traffic doubles; after a target stalled for",
             "20 s, 95 % of the former speed are back within 30 s.", "",
             "## In virtual time (200 ms a page, items of 0 to 2 KB, timers up to 3 ms late)", "",
             "| RCU/s | used | most in 10 s |", "|---:|---:|---:|"]
    lines += [f"| {b['rate']:,} | {b['used']:.1%} | {b['overshoot']:+.1%} |" for b in model["budgets"]]
    lines += ["", f"Writes: {model['found']:.1%} of the best throughput found at 20 ms a write; back {model['recovery_s']} s after the stall.",
              "", "![reads](pace-reads.svg)", "", "![writes](pace-writes.svg)", "",
              "## The whole program, against messina-sim (counted by its seconds)", "",
              f"The share that was used is that of the time after the first {WARM_UP_S} s; the most in 10 s is of all of it.", "",
              "| RCU/s | used | most in 10 s |", "|---:|---:|---:|"]
    for rate in (100, 2000) if args.quick else (100, 500, 2000, 10_000, 40_000):
        b = keep_budget(build, rate, 8 if args.quick else 25)
        lines.append(report(f"| {rate:,} | {b['used']:.1%} | {b['overshoot']:+.1%} |"))
    lines += ["", "Beside an application, which uses a fifth of the table's capacity and two fifths from the middle on; CloudWatch tells of",
              "whole minutes after they ended:", "",
              "| capacity, RCU/s | application | budget at first | in the end | calls of the application | throttled, anybody |",
              "|---:|---:|---:|---:|---:|---:|"]
    for capacity, seconds in ((2000, 12),) if args.quick else ((2000, 160), (6000, 30)):
        a = share_table(build, capacity, seconds)
        lines.append(report(f"| {capacity:,} | {a['application']:,}, then {2 * a['application']:,} | {a['first']:,.0f} | {a['last']:,.0f} | "
                            f"{a['calls']:,} | {a['throttled']:,} |"))
    lines += ["", "A target that answers nothing for a while, at a fixed budget; back is when three seconds in a row have 95 % of the speed",
              "of the ten seconds before:", "",
              "| RCU/s | stalled | before | in the stall | back after | most in 10 s |", "|---:|---:|---:|---:|---:|---:|"]
    stall_s, after_s = (5, 10) if args.quick else (20, 30)
    for rate in (2000,):
        w = stall(build, rate, stall_s, after_s)
        back = "not within 30 s" if w["back"] is None else f"{w['back']} s"
        lines.append(report(f"| {rate:,} | {stall_s} s | {w['former']:,.0f} RCU/s | {w['in_stall']:,.0f} RCU/s | {back} | {w['overshoot']:+.1%} |"))
    if args.quick:
        return
    svg(HERE / "pace-reads.svg", "Reads: 4,000 RCU/s, from 20 s on 500, from 40 s on 8,000", [("consumed", "#06c", model["read_steps"])], ["RCU/s"])
    svg(HERE / "pace-writes.svg", "Writes: 64 places of 20 ms; stalled from 40 s to 60 s; three times as slow from 90 s on",
        [("answered", "#06c", [v / 50 for v in model["rates"]]), ("limit", "#c30", model["limits"])], ["50 a second", "requests"])
    (HERE / "RESULTS-pace.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
