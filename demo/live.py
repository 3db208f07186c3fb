#!/usr/bin/env python3
"""Moves a table of orders while an application keeps changing it, kills messina in the middle, and compares both sides.

    demo/live.py BIN     BIN: the folder with messina and messina-sim; demo/live.sh sets up what this needs

Exit status 0: both sides are equal. 1: they are not, or a step did not do what it should.
"""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import boto3
from botocore.config import Config

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
import oracle  # noqa: E402: it shares no code with messina, and is what the tests are judged by, too

ORDERS, HOT_ORDERS = 20_000, 5
CITIES = ["Aachen", "Bern", "Ghent", "Graz", "Lille", "Lyon", "Malmö", "Porto", "Turin", "Utrecht"]
WARES = ["kettle", "lamp", "desk", "chair", "shelf", "clock", "rug", "mirror", "vase", "stool"]
STATES = ["placed", "paid", "packed", "shipped", "delivered"]
# The simulator's requests never land late, so that the demo need not wait half a minute after the kill, as it would by
# the default, until what was on the wire must be dead. 400 RCU/s leave time to watch the copy.
FLAGS = ["--dead-after", "1s", "--clock-error", "100ms", "--read-rcu", "400"]
DEADLINE_S = 60
TERMINAL = sys.stdout.isatty()


class Failed(Exception):
    """A step did not do what it should; the text says what."""


def say(text=""):
    # On a terminal messina's own line may stand there: it is drawn anew below.
    print(f"\r\033[K{text}" if TERMINAL else text, flush=True)


def step(number, text):
    say()
    say(f"\033[1m{number}. {text}\033[0m" if TERMINAL else f"{number}. {text}")


def order_key(number):
    return {"customer": {"S": f"c{number % 4000:05}"}, "order": {"S": f"2026-{number:07}"}}


def new_order(rng, number):
    lines = [{"M": {"ware": {"S": rng.choice(WARES)}, "pieces": {"N": str(rng.randint(1, 5))},
                    "price": {"N": f"{rng.randint(500, 20000) / 100:.2f}"}, "note": {"S": "as ordered, " * rng.randint(1, 6)}}}
             for _ in range(rng.randint(1, 5))]
    return {**order_key(number), "state": {"S": "placed"}, "lines": {"L": lines}, "changes": {"N": "0"},
            "tags": {"SS": sorted(rng.sample(["gift", "express", "repeat", "abroad", "invoice"], rng.randint(1, 3)))},
            "address": {"M": {"city": {"S": rng.choice(CITIES)}, "street": {"S": f"Harbour Street {rng.randint(1, 200)}"}}},
            "paid": {"BOOL": rng.random() < 0.8}, "voucher": {"NULL": True}}


class Application(threading.Thread):
    """Puts, updates and deletes orders by boto3 until it is stopped; five orders get a third of all updates."""

    def __init__(self, dynamodb):
        super().__init__(daemon=True)
        self.dynamodb, self.rng = dynamodb, random.Random(2)
        self.enough, self.failure = threading.Event(), None
        self.puts = self.updates = self.deletes = 0
        self.next_number = ORDERS

    def run(self):
        try:
            while not self.enough.is_set():
                self.change()
        except Exception as failure:  # noqa: BLE001: stop() tells it
            self.failure = failure

    def change(self):
        dice = self.rng.random()
        if dice < 0.25:
            self.dynamodb.put_item(TableName="orders", Item=new_order(self.rng, self.next_number))
            self.next_number += 1
            self.puts += 1
        elif dice < 0.85:
            among = HOT_ORDERS if dice < 0.45 else self.next_number
            self.dynamodb.update_item(
                TableName="orders", Key=order_key(self.rng.randrange(among)),
                UpdateExpression="SET #s = :s ADD changes :one", ExpressionAttributeNames={"#s": "state"},
                ExpressionAttributeValues={":s": {"S": self.rng.choice(STATES)}, ":one": {"N": "1"}})
            self.updates += 1
        else:
            number = self.rng.randrange(HOT_ORDERS, self.next_number)
            self.dynamodb.delete_item(TableName="orders", Key=order_key(number))
            self.deletes += 1

    def stop(self):
        self.enough.set()
        self.join(timeout=30)
        if self.is_alive() or self.failure:
            raise Failed(f"the application could not go on writing: {self.failure}")

    def __str__(self):
        return f"{self.puts:,} new orders, {self.updates:,} updates, {self.deletes:,} deletes"


def client(address):
    return boto3.client("dynamodb", endpoint_url=f"http://{address}", region_name="us-east-1", aws_access_key_id="demo",
                        aws_secret_access_key="demo", config=Config(retries={"total_max_attempts": 10}))


class Demo:
    def __init__(self, binaries, folder):
        self.binaries, self.folder, self.running = binaries, folder, []
        self.env = {**os.environ, "AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo"}

    def start_simulator(self):
        orders = self.folder / "orders.jsonl"
        rng = random.Random(1)
        orders.write_text("".join(json.dumps(new_order(rng, number)) + "\n" for number in range(ORDERS)))
        with open(self.folder / "sim.log", "wb") as log:
            sim = subprocess.Popen(
                [self.binaries / "messina-sim", "--dynamodb", "0", "--alternator", "0", "--stream-shards", "4",
                 "--table", "orders:customer=S,order=S", "--preload", f"orders={orders}"],
                stdout=subprocess.PIPE, stderr=log, text=True, cwd=self.folder)
        self.running.append(sim)
        ready = sim.stdout.readline()  # it ends, too, when the simulator does
        if not ready.startswith("ready "):
            raise Failed("messina-sim did not start: " + (self.folder / "sim.log").read_text())
        ports = dict(word.split("=", 1) for word in ready.split()[1:])
        self.dynamodb_address, self.alternator_address = ports["dynamodb"], ports["alternator"]
        self.dynamodb, self.alternator = client(self.dynamodb_address), client(self.alternator_address)

    def stream(self, body=None):
        """The control endpoint's view of the table's stream; with a body it changes it."""
        request = urllib.request.Request(f"http://{self.dynamodb_address}/_sim/tables/orders/stream",
                                         data=body and json.dumps(body).encode(), method="POST" if body else "GET")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def messina(self, *args, shown=True, **how):
        words = [str(word) for word in args]
        if shown:
            say("   $ messina " + " ".join(words))
        process = subprocess.Popen([self.binaries / "messina", *words], env=self.env, cwd=self.folder, **how)
        self.running.append(process)
        return process

    def migrate(self, *more):
        return self.messina("migrate", "dynamodb://us-east-1/orders", f"alternator://{self.alternator_address}/orders",
                            "--source-endpoint", f"http://{self.dynamodb_address}", "--enable-stream", *FLAGS, *more)

    def status(self):
        """What `messina status --json` says of the migration; {} as long as it says nothing."""
        asked = self.messina("status", "--json", shown=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        said, _ = asked.communicate(timeout=30)
        self.running.remove(asked)
        events = [json.loads(line) for line in said.splitlines()]
        return next((event.get("progress") or {} for event in events if event["event"] == "migration"), {})

    def wait_until(self, what, migration, holds):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            if migration.poll() is not None:
                raise Failed(f"messina ended with {migration.returncode} before {what}")
            if holds(self.status()):
                return
            time.sleep(0.1)
        raise Failed(f"not within {DEADLINE_S} s: {what}")

    def finish(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()


def compare(dynamodb, alternator):
    """True if both sides hold the same orders; says what it found."""
    source, target = oracle.read_all(dynamodb, "orders"), oracle.read_all(alternator, "orders")
    found = oracle.differences(source, target)
    for difference in found:
        say("   DIFFERENT: " + difference)
    if not found:
        say(f"   EQUAL: {len(source):,} orders on either side, every attribute compared by value")
    return not found


def copied(share):
    """Whether so much of the table was copied, by what `status` says."""
    return lambda progress: (progress.get("counts") or {}).get("read_items", 0) >= share * ORDERS


def in_step(progress):
    return bool((progress.get("live") or {}).get("in_step"))


def run(demo):
    began = time.monotonic()
    step(1, "A simulated DynamoDB and a simulated ScyllaDB")
    demo.start_simulator()
    say(f"   {ORDERS:,} orders are in DynamoDB at {demo.dynamodb_address}; ScyllaDB at {demo.alternator_address} is empty.")

    step(2, "The migration begins: the stream is switched on, then history is copied and changes are applied, side by side")
    migration = demo.migrate()
    demo.wait_until("the copy began", migration, copied(0.02))
    application = Application(demo.dynamodb)
    application.start()
    say("   An application writes now, and goes on: new orders, updates (a third of them to the same five orders), deletes.")

    step(3, "The stream's shards split, as DynamoDB does under load: children are read only after their parents' end")
    demo.wait_until("a quarter was copied", migration, copied(0.25))
    before = len(demo.stream()["shards"])
    demo.stream({"split": "all"})
    shards = len(demo.stream()["shards"])
    say(f"   {before} shards have become {shards}.")
    if shards <= before:
        raise Failed("no shard was split")

    step(4, "kill -9, in the middle of it all; the application goes on")
    demo.wait_until("half was copied", migration, copied(0.5))
    migration.send_signal(signal.SIGKILL)
    migration.wait()
    missed = application.updates + application.puts + application.deletes
    say(f"   Killed. Until now the application made {application}.")
    time.sleep(1)  # so that something happens while nobody looks

    step(5, "The same command again: it goes on where it was, and the stream still has what happened meanwhile")
    made = application.updates + application.puts + application.deletes - missed
    say(f"   {made:,} changes were made while messina was down.")
    migration = demo.migrate()
    demo.wait_until("it was in step", migration, in_step)
    say("   In step, while the application writes: all is copied, the stream is read to its end, nothing old waits.")
    time.sleep(2)  # to watch it follow
    say("   $ messina status")
    asked = demo.messina("status", shown=False, stdout=subprocess.PIPE, text=True)
    for line in asked.communicate(timeout=30)[0].splitlines():
        say("   " + line)

    step(6, "The application stops, and so does messina; the same command with --until in-step ends when it may say so")
    application.stop()
    say(f"   In all there were {application}.")
    migration.send_signal(signal.SIGINT)
    if migration.wait(timeout=DEADLINE_S) != 0:
        raise Failed(f"messina did not end well when it was stopped: exit {migration.returncode}")
    last = demo.migrate("--until", "in-step")
    if last.wait(timeout=DEADLINE_S) != 0:
        raise Failed(f"not in step: exit {last.returncode}")

    step(7, "Both sides, read by boto3 and compared by a program that shares no code with messina")
    if not compare(demo.dynamodb, demo.alternator):
        raise Failed("the two sides differ")
    say(f"   It took {time.monotonic() - began:.0f} s.")


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="messina-demo-"))
    demo = Demo(pathlib.Path(sys.argv[1]).resolve(), folder)
    try:
        run(demo)
    except (Failed, OSError, subprocess.TimeoutExpired) as failure:
        say(f"demo: FAILED: {failure}")
        return 1
    except KeyboardInterrupt:
        say("demo: stopped")
        return 1
    finally:
        demo.finish()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
