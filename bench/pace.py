#!/usr/bin/env python3
"""Measures how well messina keeps its pace, and writes bench/RESULTS-pace.md and two pictures beside it.

    ninja -C build/release messina messina-sim bench_pace_model
    python3 bench/pace.py --build build/release

The step responses are computed in virtual time by bench_pace_model; the figures of the whole program are counted by
messina-sim, second by second, where messina reads a table of it. Only the standard library is used.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import urllib.request

HERE = pathlib.Path(__file__).parent
ITEM_BYTES = 4000


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
    def __init__(self, build):
        self.process = subprocess.Popen([build / "bin" / "messina-sim", "--dynamodb", "0", "--alternator", "0"],
                                        stdout=subprocess.PIPE, text=True)
        fields = dict(f.split("=", 1) for f in self.process.stdout.readline().split()[1:])
        self.dynamodb, self.alternator = fields["dynamodb"], fields["alternator"]

    def ask(self, path, body=None, target=None):
        request = urllib.request.Request(f"http://{self.dynamodb}/{path}", data=body,
                                         headers={"X-Amz-Target": target} if target else {})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read() or b"{}")

    def make(self, table, items):
        self.ask("", json.dumps({
            "TableName": table, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}).encode(),
                 "DynamoDB_20120810.CreateTable")
        fill = "x" * (ITEM_BYTES - 20)
        for begin in range(0, items, 5000):
            lines = "\n".join(f'{{"id":{{"S":"{n:07}"}},"fill":{{"S":"{fill}"}}}}' for n in range(begin, min(items, begin + 5000)))
            self.ask(f"_sim/tables/{table}/load", lines.encode())

    def close(self):
        self.process.terminate()
        self.process.wait()


def measure(build, rate, seconds):
    """One copy of about `seconds` at `rate` RCU/s: the share of the budget that was used, and the overshoot in 10 s."""
    sim = Sim(build)
    try:
        sim.make("paced", rate * seconds)
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        env.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
        with tempfile.TemporaryDirectory() as state:
            subprocess.run([build / "bin" / "messina", "copy", "dynamodb://us-east-1/paced", f"alternator://{sim.alternator}/paced",
                            "--source-endpoint", f"http://{sim.dynamodb}", "--read-rcu", str(rate), "--state", state, "--quiet"],
                           env=env, check=True, stdout=subprocess.DEVNULL)
        consumed = {s: r for s, r, _ in sim.ask("_sim/tables/paced/consumed")["seconds"] if r > 0}
    finally:
        sim.close()
    first, last = min(consumed), max(consumed)
    values = [consumed.get(s, 0) for s in range(first, last + 1)]
    # The first two seconds begin, and the last ends, in the middle; at the end fewer segments are left than pages in flight.
    inner = values[2:-2]
    return {"rate": rate, "used": sum(inner) / (rate * len(inner)),
            "overshoot": max(sum(values[i:i + 10]) for i in range(max(1, len(values) - 9))) / (rate * 10) - 1, "values": values}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--seconds", type=int, default=30, help="length of each copy")
    args = parser.parse_args()
    build = args.build.resolve()
    model = json.loads(subprocess.run([next(build.glob("**/bench_pace_model"))], check=True, capture_output=True).stdout)
    svg(HERE / "pace-reads.svg", "Reads: 4,000 RCU/s, from 20 s on 500, from 40 s on 8,000", [("consumed", "#06c", model["read_steps"])], ["RCU/s"])
    svg(HERE / "pace-writes.svg", "Writes: 64 places of 20 ms; stalled from 40 s to 60 s; three times as slow from 90 s on",
        [("answered", "#06c", [v / 50 for v in model["rates"]]), ("limit", "#c30", model["limits"])], ["50 a second", "requests"])
    lines = ["# Pace", "", "Made by `python3 bench/pace.py`. Goals: at least 95 % of a budget is used, with 200 ms a page; no ten seconds",
             "hold over 102 % of it; after a target stalled for 20 s, 95 % of the best throughput are back within 30 s.", "",
             "## In virtual time (200 ms a page, items of 0 to 2 KB, timers up to 3 ms late)", "",
             "| RCU/s | used | most in 10 s |", "|---:|---:|---:|"]
    lines += [f"| {b['rate']:,} | {b['used']:.1%} | {b['overshoot']:+.1%} |" for b in model["budgets"]]
    lines += ["", f"Writes: {model['found']:.1%} of the best throughput found at 20 ms a write; back {model['recovery_s']} s after the stall.",
              "", "![reads](pace-reads.svg)", "", "![writes](pace-writes.svg)", "",
              "## The whole program, against messina-sim (counted by its seconds)", "", "| RCU/s | used | most in 10 s |", "|---:|---:|---:|"]
    for rate in (100, 500, 2000):
        result = measure(build, rate, args.seconds)
        lines.append(f"| {rate:,} | {result['used']:.1%} | {result['overshoot']:+.1%} |")
        print(lines[-1], flush=True)
    (HERE / "RESULTS-pace.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
