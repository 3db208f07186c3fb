"""Items that the target refuses: alone in the rejects, with reason and bytes; the rest is there; retried when cured."""
import contextlib
import json
import signal
import sqlite3
import time

import oracle
from conftest import load, make_table
from test_copy import counted

KEY = [("id", "N", "HASH")]


def poisoned(count, every):
    for i in range(count):
        item = {"id": {"N": str(i)}, "text": {"S": "ä" * (i % 50)}}
        if i % every == 0:
            item["poison"] = {"S": f"\"quoted\" {i}"}
        yield item


def test_refused_items_are_found_alone_and_can_be_retried(sims, messina, tmp_path):
    sim = sims()
    make_table(sim.dynamodb, "orders", KEY)
    count = load(sim.dynamodb, "orders", poisoned(1000, 97))
    bad = {i for i in range(1000) if i % 97 == 0}
    sim.control("alternator", "faults", {"kind": "reject_items", "attribute": "poison"})

    out, _ = messina.run(*messina.copy_args(sim, "orders", "--json"), expect=1)
    assert counted(out) == (count, count - len(bad), len(bad))
    assert {int(k[0]) for k in oracle.read_all(sim.alternator, "orders")} == set(range(1000)) - bad

    out, _ = messina.run("rejects", "export")
    exported = [json.loads(line) for line in out.splitlines()]
    assert {int(reject["item"]["id"]["N"]) for reject in exported} == bad
    assert all(reject["code"] == "ValidationException" and reject["reason"] for reject in exported)
    out, _ = messina.run("rejects", "list", expect=0)
    assert "ValidationException" in out

    retry = ["rejects", "retry", *messina.copy_args(sim, "orders")[1:]]
    messina.run(*retry, expect=1)  # not cured yet: still refused
    out, _ = messina.run(*messina.copy_args(sim, "orders"), expect=1)
    sim.control("alternator", "faults", {"clear": True})
    messina.run(*retry)
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, "orders") == count
    out, _ = messina.run(*messina.copy_args(sim, "orders", "--json"))
    assert counted(out) == (count, count, 0)


def test_an_item_over_the_targets_limit_is_a_reject(sims, messina):
    """ScyllaDB takes items over 400 KB, DynamoDB does not."""
    sim = sims()
    make_table(sim.alternator, "orders", KEY)
    for i in range(30):
        sim.alternator.put_item(TableName="orders", Item={"id": {"N": str(i)}, "v": {"S": "x" * (500_000 if i == 7 else 10)}})
    messina.run("copy", f"alternator://{sim.alternator_addresses[0]}/orders", "dynamodb://us-east-1/orders",
                "--target-endpoint", f"http://{sim.dynamodb_address}", expect=1)
    assert {int(k[0]) for k in oracle.read_all(sim.dynamodb, "orders")} == set(range(30)) - {7}
    out, _ = messina.run("rejects", "list")
    assert "size" in out


def heartbeat(messina):
    """What stands in the ledger while requests may be on the wire."""
    [ledger] = messina.state.glob("**/ledger.db")
    with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as database:
        return database.execute("SELECT heartbeat_unix_ms FROM job").fetchone()[0]


def test_a_retry_that_leaves_a_write_unknown_says_so_in_the_ledger(sims, messina):
    """Else a copy that is started over could be overtaken by it."""
    sim = sims()
    make_table(sim.dynamodb, "orders", KEY)
    load(sim.dynamodb, "orders", poisoned(20, 19))
    sim.control("alternator", "faults", {"kind": "reject_items", "attribute": "poison"})
    messina.run(*messina.copy_args(sim, "orders"), expect=1)
    assert heartbeat(messina) is None
    retry = ["rejects", "retry", *messina.copy_args(sim, "orders")[1:]]
    messina.run(*retry, expect=1)
    assert heartbeat(messina) is None, "answered: nothing is on the wire"

    sim.control("alternator", "faults", {"clear": True})
    sim.control("alternator", "faults", {"kind": "cut_before", "operation": "BatchWriteItem"})
    process = messina.start(*retry)
    deadline = time.monotonic() + 60
    while not sim.control("alternator", "faults")["fired"].get("cut_before"):
        assert time.monotonic() < deadline, "nothing was sent"
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert heartbeat(messina) is not None
