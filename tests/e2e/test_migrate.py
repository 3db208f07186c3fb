"""A table that is being written to arrives: real writers, faults on both sides, kill -9, outages; in the end the tables are equal.

MESSINA_CHAOS_RUNS and MESSINA_CHAOS_SEED are those of test_chaos.py.
"""
import json
import random
import signal
import subprocess
import threading
import time

import pytest

import oracle
from conftest import client, load, make_table
from datasets import GENERATED_KEY, generated
from test_chaos import FIRST_SEED, LANDS_LATE_MS, READ_FAULTS, RUNS, SKEW_MS, WRITE_FAULTS

# S and D, scaled down to the simulator's late landings; the retention of streams is in seconds, too.
TIMES = ["--dead-after", "1500ms", "--clock-error", "100ms"]
STREAM_FAULTS = [
    {"kind": "throttle_stream_limit", "operation": "GetRecords", "probability": 0.03},
    {"kind": "expire_iterator", "operation": "GetRecords", "probability": 0.03},
    {"kind": "empty_page", "operation": "GetRecords", "probability": 0.05},
    {"kind": "error_before", "operation": "GetRecords", "probability": 0.02},
    {"kind": "cut_before", "operation": "GetRecords", "probability": 0.02},
    {"kind": "cut_before", "operation": "DescribeStream", "probability": 0.05},
    {"kind": "throttle_stream_limit", "operation": "GetShardIterator", "probability": 0.05},
]
LOOKUP_FAULTS = [
    {"kind": "throttle_table", "operation": "BatchGetItem", "probability": 0.1},
    {"kind": "partial", "operation": "BatchGetItem", "probability": 0.1},
]


def migrate_args(messina, sim, table, *more):
    args = messina.copy_args(sim, table, *more)
    return ["migrate", *args[1:], "--enable-stream"]


def live_status(messina):
    """What `status` says of the live migration; empty while there is nothing to say."""
    out, _ = messina.run("status", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    migrations = [event for event in events if event["event"] == "migration"]
    return ((migrations[-1]["progress"] if migrations else None) or {}).get("live") or {}


class Writer(threading.Thread):
    """Changes a table with boto3 until it is stopped: puts, updates and deletes, some keys more than others."""

    def __init__(self, sim, table, seed, keys):
        super().__init__(daemon=True)
        self.dynamo, self.table, self.rng = client(sim.dynamodb_address), table, random.Random(seed)
        self.keys, self.enough, self.failure, self.changes = keys, threading.Event(), None, 0

    def run(self):
        try:
            while not self.enough.is_set():
                self.change()
                self.changes += 1
        except Exception as failure:  # noqa: BLE001: told by stop()
            self.failure = failure

    def change(self):
        key = self.rng.choice(self.keys[:3]) if self.rng.random() < 0.3 else self.rng.choice(self.keys)
        dice = self.rng.random()
        if dice < 0.5:
            self.dynamo.put_item(TableName=self.table, Item={**key, "writer": {"N": str(self.changes)}})
        elif dice < 0.75:
            self.dynamo.update_item(TableName=self.table, Key=key, UpdateExpression="SET counted = :n",
                                    ExpressionAttributeValues={":n": {"N": str(self.changes)}})
        else:
            self.dynamo.delete_item(TableName=self.table, Key=key)

    def stop(self):
        self.enough.set()
        self.join(timeout=60)
        assert not self.is_alive() and self.failure is None, self.failure
        return self.changes


def keys_of(dynamo, table, names):
    pages = dynamo.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [{name: item[name] for name in names} for page in pages for item in page["Items"]]


@pytest.fixture
def written(sims):
    """A simulator with a table of a few thousand items."""

    def make(seed, items, *flags):
        sim = sims("--dynamodb", 0, "--alternator", 0, "--seed", seed, *flags)
        make_table(sim.dynamodb, "live", GENERATED_KEY)
        load(sim.dynamodb, "live", generated(seed, items))
        keys = keys_of(sim.dynamodb, "live", [name for name, _, _ in GENERATED_KEY])
        return sim, sorted(keys, key=str)

    return make


def kill(process):
    process.send_signal(signal.SIGKILL)
    return process.communicate()


def stop(process):
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode in (0, 3), f"exit {process.returncode}\n{out}\n{err}"
    return out, err


@pytest.mark.parametrize("run", range(RUNS))
def test_equal_after_faults_and_kills_under_writes(written, messina, run):
    seed = FIRST_SEED + run
    print(f"MESSINA_CHAOS_SEED={seed} MESSINA_CHAOS_RUNS=1")
    rng = random.Random(seed)
    sim, keys = written(seed, rng.randint(500, 2000), f"--skew-ms={rng.randint(-SKEW_MS, SKEW_MS)}",
                        "--stream-shards", rng.randint(1, 4), "--stream-roll-seconds", rng.choice([3, 10, 60]))
    for rule in rng.sample(READ_FAULTS, 3) + rng.sample(STREAM_FAULTS, 4) + LOOKUP_FAULTS:
        sim.control("dynamodb", "faults", rule)
    for rule in rng.sample(WRITE_FAULTS, 4):
        sim.control("alternator", "faults", rule)
    sim.control("alternator", "faults", {"kind": "cut_late", "operation": "BatchWriteItem", "count": 1, "ms": LANDS_LATE_MS})
    sim.control("dynamodb", "faults", {"kind": "expire_iterator", "operation": "GetRecords", "count": 1})

    args = migrate_args(messina, sim, "live", "--json", "--segments", rng.choice([1, 5]), *TIMES)
    writer = Writer(sim, "live", seed, keys)
    process = messina.start(*args)
    first = True
    for _ in range(rng.randint(1, 3)):
        try:
            out, err = process.communicate(timeout=rng.uniform(0.3, 3.0))
            pytest.fail(f"it ended by itself: {process.returncode}\n{out}\n{err}")
        except subprocess.TimeoutExpired:
            kill(process)
        if first:
            writer.start()
        first = False
        if rng.random() < 0.5:
            sim.control("dynamodb", "tables/live/stream", {rng.choice(["split", "roll"]): "all"})
        process = messina.start(*args)
    threading.Event().wait(rng.uniform(1, 4))  # the writer and messina at work, beside each other
    changes = writer.stop()
    kill(process)

    out, _ = messina.run(*args, "--until", "in-step", timeout=240)
    assert changes > 20, "the writer did nothing: nothing was tested"
    assert sim.control("alternator", "faults")["fired"]["cut_late"] >= 1
    assert sim.control("dynamodb", "faults")["fired"]["expire_iterator"] >= 1
    for side in ("dynamodb", "alternator"):
        sim.control(side, "faults", {"clear": True})
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, "live") > 0


def test_what_changes_while_it_follows_arrives(written, messina):
    sim, keys = written(5, 300)
    process = messina.start(*migrate_args(messina, sim, "live", *TIMES))
    writer = Writer(sim, "live", 5, keys)
    writer.start()
    deadline = time.monotonic() + 60
    live = {}
    while not (live.get("in_step") and live["events"] > 50):
        assert time.monotonic() < deadline, live
        live = live_status(messina)
    writer.stop()
    stop(process)
    messina.run(*migrate_args(messina, sim, "live", "--until", "in-step", *TIMES))
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")


def test_another_migration_is_kept_out(written, messina):
    """Rule 20: the target belongs to one state directory."""
    sim, _ = written(6, 50)
    messina.run(*migrate_args(messina, sim, "live", "--until", "in-step", *TIMES))
    ours = messina.state
    messina.state = ours.with_name("another")
    _, err = messina.run(*migrate_args(messina, sim, "live", "--into-existing", "--until", "in-step", *TIMES), expect=4)
    assert "belongs to another migration" in err and "--take-over" in err
    messina.run(*migrate_args(messina, sim, "live", "--into-existing", "--take-over", "--until", "in-step",
                              "--delete-extra", *TIMES))
    messina.state = ours
    _, err = messina.run(*migrate_args(messina, sim, "live", "--until", "in-step", *TIMES), expect=4)
    assert "belongs to another migration" in err


def test_changes_that_nobody_captured_are_a_gap(written, messina):
    """Down for longer than the records live: said, not claimed, and healed by --heal. Keys are deleted in the gap."""
    sim, keys = written(7, 200, "--stream-retention-seconds", 2)
    args = migrate_args(messina, sim, "live", "--json", "--stream-retention", "2s", *TIMES)
    messina.run(*args, "--until", "in-step")
    for key in keys[:20]:
        sim.dynamodb.delete_item(TableName="live", Key=key)
    sim.control("dynamodb", "tables/live/stream", {"roll": "all"})
    sim.control("dynamodb", "tables/live/stream", {"trim": "all"})
    threading.Event().wait(2.5)  # the retention: the records would be gone, whoever asked
    out, err = messina.run(*args, "--until", "in-step", expect=4)
    assert "--heal" in out + err
    assert oracle.differences(oracle.read_all(sim.dynamodb, "live"), oracle.read_all(sim.alternator, "live")) != []
    messina.run(*args, "--heal", "--until", "in-step")
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")
    messina.run(*args, "--until", "in-step")


def test_an_item_that_the_copy_could_not_write_stands_against_in_step(written, messina):
    """Refused in history, and not changed since. A later change settles it; what was stored is never sent again."""
    sim, keys = written(8, 100)
    sim.dynamodb.update_item(TableName="live", Key=keys[0], UpdateExpression="SET poison = :p",
                             ExpressionAttributeValues={":p": {"S": "x"}})
    sim.control("dynamodb", "clock", {"advance_ms": 3_600_000})
    sim.control("alternator", "faults", {"kind": "reject_items", "table": "live"})
    args = migrate_args(messina, sim, "live", "--until", "in-step", *TIMES)
    for _ in range(2):
        out, _ = messina.run(*args, expect=1)
        assert "refused by the target" in out, out
    _, err = messina.run("rejects", "retry", expect=2)
    assert "may be older than what is there now" in err
    sim.dynamodb.update_item(TableName="live", Key=keys[0], UpdateExpression="REMOVE poison")
    messina.run(*args)
    out, err = messina.run("rejects", "list")
    assert "0 live rejects" in out + err
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")
