"""A table that is being written to arrives: real writers, faults on both sides, kill -9, outages; in the end the tables are equal.

MESSINA_CHAOS_RUNS and MESSINA_CHAOS_SEED are those of test_chaos.py.
"""
import itertools
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


def progress_of(messina):
    """What `status` says of the migration's progress; empty while there is nothing to say."""
    process = messina.start("status", "--json")
    out, _ = process.communicate(timeout=60)
    if process.returncode != 0:
        return {}  # there is no state directory, or nothing in it yet
    events = [json.loads(line) for line in out.split("\n") if line]
    migrations = [event for event in events if event["event"] == "migration"]
    return (migrations[-1]["progress"] if migrations else None) or {}


def live_status(messina):
    return progress_of(messina).get("live") or {}


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


@pytest.fixture
def started(messina):
    """Starts messina; what still runs when the test ends, however it ends, ends with it."""
    running = []

    def start(*args):
        running.append(messina.start(*args))
        return running[-1]

    yield start
    for process in running:
        if process.poll() is None:
            kill(process)


def eventually(look, what, seconds=90):
    """The first answer of `look` that is worth something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, what
    return found


def kill(process):
    process.send_signal(signal.SIGKILL)
    return process.communicate()


def stop(process):
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode in (0, 3), f"exit {process.returncode}\n{out}\n{err}"
    return out, err


@pytest.mark.parametrize("run", range(RUNS))
def test_equal_after_faults_and_kills_under_writes(written, messina, started, run):
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
    process = started(*args)
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
        # A process that was killed at once has not switched the stream on.
        streams = "LatestStreamArn" in sim.dynamodb.describe_table(TableName="live")["Table"]
        if rng.random() < 0.5:
            change = rng.choice(["split", "roll"])
            if streams:
                sim.control("dynamodb", "tables/live/stream", {change: "all"})
        process = started(*args)
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


def test_what_changes_while_it_follows_arrives(written, messina, started):
    sim, keys = written(5, 300)
    process = started(*migrate_args(messina, sim, "live", *TIMES))
    writer = Writer(sim, "live", 5, keys)
    writer.start()

    def followed():
        live = live_status(messina)
        return live if live.get("in_step") and live["events"] > 50 else None

    live = eventually(followed, "it does not follow")
    assert live["last_polled_s"] < 30
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
    # It takes the target at once, and waits for two minutes before it writes: the simulation has the rest.
    process = messina.start(*migrate_args(messina, sim, "live", "--into-existing", "--take-over", *TIMES))
    deadline = time.monotonic() + 60
    while progress_of(messina).get("phase") != "waiting":
        assert time.monotonic() < deadline and process.poll() is None
    assert "may write for" in progress_of(messina)["holder_detail"]
    stop(process)
    messina.state = ours
    _, err = messina.run(*migrate_args(messina, sim, "live", "--until", "in-step", *TIMES), expect=4)
    assert "belongs to another migration" in err


def delete_uncaptured(sim, keys):
    """While nobody captures, and until the records are gone from a stream that keeps them for 20 s."""
    for key in keys:
        sim.dynamodb.delete_item(TableName="live", Key=key)
    sim.control("dynamodb", "tables/live/stream", {"roll": "all"})
    sim.control("dynamodb", "tables/live/stream", {"trim": "all"})
    threading.Event().wait(20.5)  # the retention: the records would be gone, whoever asked


def test_changes_that_nobody_captured_are_a_gap(written, messina):
    """Down for longer than the records live: said, not claimed, and healed by --heal. Keys are deleted in the gap."""
    sim, keys = written(7, 200, "--stream-retention-seconds", 20)
    args = migrate_args(messina, sim, "live", "--json", "--stream-retention", "20s", *TIMES)
    messina.run(*args, "--until", "in-step")
    delete_uncaptured(sim, keys[:20])
    out, err = messina.run(*args, "--until", "in-step", expect=4)
    assert "--heal" in out + err
    assert oracle.differences(oracle.read_all(sim.dynamodb, "live"), oracle.read_all(sim.alternator, "live")) != []
    messina.run(*args, "--heal", "--until", "in-step")
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")
    messina.run(*args, "--until", "in-step")


def test_a_gap_is_healed_where_keys_are_renamed(written, messina):
    """Keys that only the target has are found under their names there, looked up under the source's, and deleted."""
    sim, keys = written(9, 200, "--stream-retention-seconds", 20)
    renamed = {name: f"new_{name}" for name, _, _ in GENERATED_KEY}
    renames = [word for old, new in renamed.items() for word in ("--rename", f"{old}={new}")]
    args = migrate_args(messina, sim, "live", "--json", "--stream-retention", "20s", *TIMES, *renames)
    messina.run(*args, "--until", "in-step")
    delete_uncaptured(sim, keys[:20])
    messina.run(*args, "--until", "in-step", expect=4)
    messina.run(*args, "--heal", "--until", "in-step")
    left = keys_of(sim.dynamodb, "live", list(renamed))
    arrived = keys_of(sim.alternator, "live", list(renamed.values()))
    assert len(left) == len(keys) - 20
    assert sorted(({new: key[old] for old, new in renamed.items()} for key in left), key=str) == sorted(arrived, key=str)


def poison(sim, keys):
    for key in keys:
        sim.dynamodb.update_item(TableName="live", Key=key, UpdateExpression="SET poison = :p",
                                 ExpressionAttributeValues={":p": {"S": "x"}})


def live_rejects(messina):
    out, _ = messina.run("rejects", "list", "--json")
    return [json.loads(line) for line in out.split("\n") if line]  # items hold other ends of lines


def test_an_item_that_the_copy_could_not_write_stands_against_in_step(written, messina):
    """Refused in history, and not changed since. A later change settles it; what was stored is never sent again."""
    sim, keys = written(8, 100)
    poison(sim, keys[:1])
    sim.control("dynamodb", "clock", {"advance_ms": 3_600_000})
    sim.control("alternator", "faults", {"kind": "reject_items", "table": "live"})
    args = migrate_args(messina, sim, "live", "--until", "in-step", *TIMES)
    for _ in range(2):
        out, _ = messina.run(*args, expect=1)
        assert "refused by the target" in out, out
    sim.dynamodb.update_item(TableName="live", Key=keys[0], UpdateExpression="REMOVE poison")
    messina.run(*args)
    assert live_rejects(messina) == []
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")


def test_rejects_are_read_again_by_the_next_run(written, messina):
    """Rule 7: with nobody running, `rejects retry` marks the keys; the next run reads them. Refused twice, then cured."""
    sim, keys = written(9, 100)
    poison(sim, keys[:3])
    sim.control("dynamodb", "clock", {"advance_ms": 3_600_000})
    sim.control("alternator", "faults", {"kind": "reject_items", "table": "live"})
    args = migrate_args(messina, sim, "live", "--until", "in-step", *TIMES)
    messina.run(*args, expect=1)
    out, _ = messina.run("rejects", "retry")
    assert "3 keys will be read from the source again" in out and "messina migrate" in out
    assert len(live_rejects(messina)) == 3  # until they are written
    messina.run(*args, expect=1)
    assert len(live_rejects(messina)) == 3
    sim.control("alternator", "faults", {"clear": True})
    # One is changed, and one deleted, behind the stored bytes.
    sim.dynamodb.update_item(TableName="live", Key=keys[0], UpdateExpression="SET newer = :n",
                             ExpressionAttributeValues={":n": {"N": "1"}})
    sim.dynamodb.delete_item(TableName="live", Key=keys[1])
    out, _ = messina.run("rejects", "retry", "--json")
    assert json.loads(out)["keys"] == 3
    messina.run(*args)
    assert live_rejects(messina) == []
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")
    out, _ = messina.run("rejects", "retry")
    assert "no live rejects" in out


def test_rejects_are_read_again_by_the_running_process(written, messina, started):
    sim, keys = written(10, 100)
    sim.control("alternator", "faults", {"kind": "reject_items", "table": "live"})
    process = started(*migrate_args(messina, sim, "live", *TIMES))
    eventually(lambda: live_status(messina).get("in_step"), "it does not come in step")
    poison(sim, keys[:2])
    eventually(lambda: len(live_rejects(messina)) == 2, "they are not refused")
    sim.control("alternator", "faults", {"clear": True})
    out, _ = messina.run("rejects", "retry")
    assert "2 keys will be read from the source again, by the process that runs" in out
    eventually(lambda: live_rejects(messina) == [], "they stay live")
    eventually(lambda: live_status(messina).get("in_step"), "it does not come in step again")
    stop(process)
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")


def test_another_owner_ends_a_run(written, messina, started):
    """Rule 20: who finds that the target is another's stops at once."""
    sim, _ = written(11, 50)
    process = started(*migrate_args(messina, sim, "live", *TIMES))
    eventually(lambda: live_status(messina).get("in_step"), "it does not come in step")
    arn = sim.alternator.describe_table(TableName="live")["Table"]["TableArn"]
    sim.alternator.tag_resource(ResourceArn=arn, Tags=[{"Key": "messina:owner", "Value": "somebody else"}])
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4 and "belongs to another migration" in err, err


def test_without_a_stream_nothing_is_made(written, messina):
    sim, _ = written(12, 10)
    args = [arg for arg in migrate_args(messina, sim, "live", "--until", "in-step", *TIMES) if arg != "--enable-stream"]
    _, err = messina.run(*args, expect=2)
    assert "has no stream" in err and "--enable-stream" in err
    assert sim.alternator.list_tables()["TableNames"] == []


def test_a_spool_over_its_bound_becomes_marks(written, messina, started):
    """Rule 12: the target is away, the oldest images go, and are read again when it is back. The cost is said."""
    sim, keys = written(13, 200)
    away_ms = 20_000
    # What the target has taken in while it is away it may carry out when it is back.
    args = migrate_args(messina, sim, "live", "--spool-max", "1MB", "--json", "--dead-after", "25s",
                        "--clock-error", "100ms")
    process = started(*args)
    eventually(lambda: live_status(messina).get("in_step"), "it does not come in step")
    sim.control("alternator", "faults", {"kind": "stop", "ms": away_ms, "count": 1})
    filler = "x" * 50_000
    rounds = itertools.count()

    def reduced():
        for key in keys[:20]:
            sim.dynamodb.update_item(TableName="live", Key=key, UpdateExpression="SET filler = :f, round = :r",
                                     ExpressionAttributeValues={":f": {"S": filler}, ":r": {"N": str(next(rounds))}})
        live = live_status(messina)
        return live if live.get("spool_reduced") else None

    live = eventually(reduced, "the spool is not reduced")
    assert live["spool_reduced_rcu"] >= live["spool_reduced"]
    out, _ = messina.run("status")
    assert "reduced to marks" in out and "RCU" in out
    assert sim.control("alternator", "faults")["fired"]["stop"] >= 1
    read_again = live["reread"]

    def caught_up():
        live = live_status(messina)
        return live.get("in_step") and live["reread"] > read_again

    eventually(caught_up, "it does not come in step again", seconds=180)
    stop(process)
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")
