"""Many tables by one `migrate`: all captured from the start, copied in turns, in step together."""
import json
import threading
import time

import pytest

import oracle
from conftest import client, load, make_table
from test_migrate import TIMES, Writer, kill, stop

KEY = [("id", "S", "HASH")]
NAMES = ["live0", "live1", "live2", "live3"]
ITEMS = 400
DEADLINE_S = 60


def keys(count=ITEMS):
    return [{"id": {"S": f"k{i}"}} for i in range(count)]


@pytest.fixture
def sim(sims):
    sim = sims("--dynamodb", 0, "--alternator", 0, "--seed", 11, "--stream-shards", 2, "--on-demand")
    for name in NAMES:
        make_table(sim.dynamodb, name, KEY)
        load(sim.dynamodb, name, ({**key, "v": {"S": "x" * 500}} for key in keys()))
    return sim


@pytest.fixture
def writers(sim):
    running = [Writer(sim, name, seed, keys()) for seed, name in enumerate(NAMES)]
    yield running
    for writer in running:
        writer.enough.set()


def named(sim, tables="live*"):
    return ["dynamodb://us-east-1", f"alternator://{sim.alternator_addresses[0]}", "--source-endpoint",
            f"http://{sim.dynamodb_address}", "--tables", tables]


def args_of(sim, *more):
    return ["migrate", *named(sim), "--enable-stream", "--parallel-tables", 1, *TIMES, *more]


def statuses(messina):
    """table -> its migration, as `status` tells."""
    asked = messina.start("status", "--json")
    out, err = asked.communicate(timeout=DEADLINE_S)
    # At first there is no state directory.
    assert asked.returncode == 0 or "not_found" in err, err
    events = [json.loads(line) for line in out.splitlines()]
    return {event["progress"]["table"]: event for event in events if event["event"] == "migration" and event.get("progress")}


def wait_until(what, holds):
    end = time.monotonic() + DEADLINE_S
    while not (found := holds()):
        assert time.monotonic() < end, what
        threading.Event().wait(0.1)
    return found


def test_all_arrive_under_writes_and_a_kill(sim, messina, writers):
    sim.control("dynamodb", "faults", {"kind": "latency", "operation": "Scan", "ms": 4000})
    process = messina.start(*args_of(sim))
    try:
        # While the first is copied all others capture already: their streams would not wait for a day.
        def capturing_all():
            now = statuses(messina)
            phases = [table["progress"]["phase"] for table in now.values()]
            return len(now) == len(NAMES) and phases.count("copying") == 1 and phases.count("queued") == len(NAMES) - 1 \
                and all((table["progress"].get("live") or {}).get("stream_view") for table in now.values()) and now
        wait_until("one copies, all capture", capturing_all)
        for writer in writers:
            writer.start()
        wait_until("changes of all are captured", lambda: all(
            (table["progress"].get("live") or {}).get("events", 0) > 0 for table in statuses(messina).values()))
    finally:
        kill(process)
    sim.control("dynamodb", "faults", {"clear": True})
    process = messina.start(*args_of(sim))
    try:
        wait_until("all follow", lambda: [
            table["running"] for table in statuses(messina).values()
            if table["progress"]["phase"] == "following"].count(True) == len(NAMES))
        for writer in writers:
            assert writer.stop() > 0
        out, _ = stop(process)
    finally:
        kill(process)
    assert "4 followed" in out, out
    out, _ = messina.run(*args_of(sim, "--until", "in-step"))
    assert "4 in step" in out, out
    for name in NAMES:
        assert oracle.assert_equal(sim.dynamodb, sim.alternator, name) > 0


def test_the_first_in_step_waits_for_the_last(sim, messina):
    """Changes of the table that is copied first must arrive as long as the last is still copied."""
    sim.control("dynamodb", "faults", {"kind": "latency", "operation": "Scan", "ms": 8000, "table": NAMES[-1]})
    process = messina.start(*args_of(sim, "--order", "name", "--until", "in-step", "--json"))
    try:
        def one_in_step():
            first = statuses(messina).get(NAMES[0])
            return first and first["progress"]["phase"] == "following" and first["progress"]["live"]["in_step"]
        wait_until("the first is in step", one_in_step)
        assert process.poll() is None
        sim.dynamodb.put_item(TableName=NAMES[0], Item={"id": {"S": "late"}, "v": {"S": "late"}})
        sim.control("dynamodb", "faults", {"clear": True})
        out, err = process.communicate(timeout=DEADLINE_S)
    finally:
        kill(process)
    assert process.returncode == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    assert {e["source"].rsplit("/", 1)[1]: e["exit_code"] for e in events if e["event"] == "summary"} == dict.fromkeys(NAMES, 0)
    (tables,) = (e for e in events if e["event"] == "tables")
    assert [table["end"] for table in tables["tables"]] == ["in step"] * len(NAMES)
    for name in NAMES:
        oracle.assert_equal(sim.dynamodb, sim.alternator, name)


def test_one_that_cannot_does_not_stop_the_others(sim, messina):
    """Here because its target has another key."""
    make_table(client(sim.alternator_addresses[0]), NAMES[1], [("other", "S", "HASH")])
    out, err = messina.run(*args_of(sim, "--until", "in-step"), expect=4)
    assert "3 in step" in out and "1 failed" in out, out
    assert NAMES[1] in err
    for name in NAMES:
        if name != NAMES[1]:
            assert oracle.assert_equal(sim.dynamodb, sim.alternator, name) == ITEMS


def test_a_plan_says_how_changes_are_followed(sim, messina, tmp_path):
    plan = tmp_path / "live.yaml"
    plan.write_text(f"""
source: {{type: dynamodb, region: us-east-1, endpoint: "http://{sim.dynamodb_address}"}}
target: {{type: alternator, endpoint: "http://{sim.alternator_addresses[0]}"}}
tables: ["live0", {{table: live1, target: other1}}]
enable-stream: KEYS_ONLY
allowed-lag: 20s
clock-error: 100ms
dead-after: 1500ms
""", encoding="utf-8")
    messina.run("migrate", "--plan", plan, "--until", "in-step")
    views = {name: sim.dynamodb.describe_table(TableName=name)["Table"]["StreamSpecification"]["StreamViewType"]
             for name in NAMES[:2]}
    assert set(views.values()) == {"KEYS_ONLY"}
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, NAMES[0]) == ITEMS
    assert not oracle.differences(oracle.read_all(sim.dynamodb, "live1"), oracle.read_all(sim.alternator, "other1"))
