"""A running job seen from beside it, stopped, resumed; two at once; a table that is swapped underneath."""
import json
import signal
import threading


import oracle
from conftest import load, make_table
from test_copy import summary

KEY = [("id", "N", "HASH")]


def slow_table(sim, count=3000, latency_ms=60):
    """A table whose copy takes a while: small pages of padded items, slow writes."""
    make_table(sim.dynamodb, "orders", KEY)
    load(sim.dynamodb, "orders", ({"id": {"N": str(i)}, "v": {"S": "x" * 2000}} for i in range(count)))
    sim.control("alternator", "faults", {"kind": "latency", "operation": "BatchWriteItem", "ms": latency_ms})


def wait_for_progress(process, items):
    """Reads JSON events until that many items are written."""
    for line in process.stdout:
        event = json.loads(line)
        if event.get("event") == "progress" and event["counts"]["written_items"] >= items:
            return event
    raise AssertionError("the job ended before: " + process.stderr.read())


def test_stop_resume_and_status(sims, messina):
    sim = sims()
    slow_table(sim)
    args = messina.copy_args(sim, "orders", "--json", "--write-concurrency", 1)
    process = messina.start(*args)
    wait_for_progress(process, 200)

    out, _ = messina.run("status", "--json")
    beside = json.loads(out.splitlines()[0])
    assert beside["running"] and beside["holder"]["pid"] == process.pid
    _, err = messina.run(*args, "--restart", expect=4)
    assert str(process.pid) in err and "since" in err

    process.send_signal(signal.SIGTERM)
    rest, err = process.communicate(timeout=120)
    assert process.returncode == 3, err
    stopped = summary(rest)["counts"]
    assert 0 < stopped["written_items"] < 3000
    out, _ = messina.run("status", "--json")
    after = json.loads(out.splitlines()[0])
    assert not after["running"] and after["counts"] == stopped

    sim.control("alternator", "faults", {"clear": True})
    out, _ = messina.run(*args)
    assert summary(out)["counts"]["written_items"] == 3000
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, "orders") == 3000


def test_whether_an_outage_is_worth_a_new_start_depends_on_the_place(sims, messina):
    """A begun copy goes on when its servers are back; where nothing was begun, the address is most likely wrong."""
    sim = sims()
    slow_table(sim)
    args = messina.copy_args(sim, "orders", "--write-concurrency", 1)
    process = messina.start(*args, "--json")
    wait_for_progress(process, 200)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    sim.stop()
    _, err = messina.run(*args, expect=3)
    assert "run the same command again and it goes on from here" in err
    messina.run("status", "--check", expect=3)
    messina.state = messina.state.with_name("another")
    for _ in range(2):  # the first leaves an empty ledger
        _, err = messina.run(*args, expect=2)
        assert "nothing was copied yet; put that right, then run the same command again" in err


def test_a_second_signal_ends_at_once(sims, messina):
    sim = sims()
    slow_table(sim)
    sim.control("alternator", "faults", {"kind": "stall", "operation": "BatchWriteItem", "ms": 20000})
    process = messina.start(*messina.copy_args(sim, "orders", "--json"))
    threading.Timer(60, process.kill).start()
    for line in process.stdout:
        if json.loads(line).get("event") == "progress":
            break
    process.send_signal(signal.SIGINT)
    for line in process.stderr:  # says that it stops at the next safe point
        if "stop" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 3


def test_a_table_made_again_in_mid_job_is_noticed(sims, messina):
    sim = sims()
    slow_table(sim)
    args = messina.copy_args(sim, "orders", "--json", "--write-concurrency", 1)
    process = messina.start(*args)
    wait_for_progress(process, 200)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    sim.dynamodb.delete_table(TableName="orders")
    make_table(sim.dynamodb, "orders", KEY)
    _, err = messina.run(*args, expect=4)
    assert "--restart" in err


def test_many_migrations_in_one_state_directory(sims, messina):
    sim = sims()
    for name in ("one", "two"):
        make_table(sim.dynamodb, name, KEY)
        load(sim.dynamodb, name, ({"id": {"N": str(i)}} for i in range(10)))
        messina.run(*messina.copy_args(sim, name))
    out, _ = messina.run("status", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == 2 and all(row["phase"] == "done" for row in rows)


def test_all_nodes_are_used_and_a_sick_one_is_left_out(sims, messina):
    sim = sims("--dynamodb", 0, "--alternator", 0, "--nodes", 3)
    slow_table(sim, latency_ms=1)
    sim.control("alternator", "faults", {"clear": True})
    for node in range(3):  # without effect, but counted by node
        sim.control("alternator", "faults", {"kind": "latency", "operation": "BatchWriteItem", "node": node, "ms": 1})
    sim.control("alternator", "faults", {"kind": "error_before", "operation": "BatchWriteItem", "node": 2})
    out, _ = messina.run(*messina.copy_args(sim, "orders", "--json", "--dead-after", "300ms", "--clock-error", "50ms"))
    assert summary(out)["counts"]["written_items"] == 3000
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, "orders") == 3000
    calls = [rule["fired"] for rule in sim.control("alternator", "faults")["rules"] if rule["kind"] == "latency"]
    assert calls[0] > 5 and calls[1] > 5
    assert calls[2] < calls[0] / 2
