"""`messina check` against clusters and states that golden texts cannot hold still."""
import json

import pytest
from conftest import load, make_table


def findings(text):
    events = [json.loads(line) for line in text.splitlines()]
    return {(e["side"], e["id"]): e for e in events if e["event"] == "finding"}, events[-1]


def check_args(sim, table, *more):
    return ["check", f"dynamodb://us-east-1/{table}", f"alternator://{sim.alternator_addresses[0]}/{table}",
            "--source-endpoint", f"http://{sim.dynamodb_address}", "--json", *more]


def test_clocks_of_nodes_that_differ_stop_the_copy(sims, messina):
    sim = sims("--dynamodb", "0", "--alternator", "0", "--nodes", "3", "--skew-ms", "0,9000,0")
    make_table(sim.dynamodb, "orders", [("id", "S", "HASH")])
    out, _ = messina.run(*check_args(sim, "orders"), expect=2)
    found, last = findings(out)
    assert found["target", "clock_nodes"]["level"] == "stop"
    assert "--clock-error" in found["target", "clock_nodes"]["fix"]
    assert last["stops"] == 1
    out, _ = messina.run(*check_args(sim, "orders", "--clock-error", "10s"))
    assert findings(out)[0]["target", "clock_nodes"]["level"] == "ok"


def test_the_estimate_follows_the_table(sims, messina):
    sim = sims()
    make_table(sim.dynamodb, "orders", [("id", "S", "HASH")])
    load(sim.dynamodb, "orders", ({"id": {"S": f"o{i}"}, "v": {"S": "x" * 10_000}} for i in range(200)))
    out, _ = messina.run(*check_args(sim, "orders", "--read-rcu", "10"))
    estimate = findings(out)[1]["estimate"]
    assert estimate["items"] == 200
    size = estimate["bytes"]
    assert 200 * 10_000 < size < 200 * 10_100
    assert estimate["rcu_strong"] == -(-size // 4096)
    assert estimate["seconds"] == estimate["rcu_strong"] / 10
    assert estimate["limited_by"] == "--read-rcu"


def test_a_throttled_source_is_asked_again(sims, messina):
    sim = sims()
    make_table(sim.dynamodb, "orders", [("id", "S", "HASH")])
    sim.control("dynamodb", "faults", {"kind": "error_before", "operation": "DescribeTable", "count": 2})
    out, _ = messina.run(*check_args(sim, "orders"))
    assert findings(out)[0]["source", "describe"]["level"] == "ok"
    sim.control("dynamodb", "faults", {"kind": "error_before", "operation": "DescribeTable"})
    out, _ = messina.run(*check_args(sim, "orders"), expect=2)
    assert findings(out)[0]["source", "describe"]["level"] == "stop"


def test_a_machine_whose_clock_is_wrong_is_told_and_can_check(sims, messina):
    """Both servers check signatures, and their clocks are ahead of this machine's: a copy signs with the server's time, too."""
    sim = sims("--dynamodb", "0", "--alternator", "0", "--access-key", "test", "--secret-key", "test")
    make_table(sim.dynamodb, "orders", [("id", "S", "HASH")])
    for side in ("dynamodb", "alternator"):
        sim.control(side, "clock", {"advance_ms": 20 * 60_000})
    out, _ = messina.run(*check_args(sim, "orders", "--target-access-key", "test", "--target-secret-key-env",
                                     "AWS_SECRET_ACCESS_KEY"))
    found, _ = findings(out)
    for call in ("caller", "describe", "scan", "quotas_call"):
        assert found["source", call]["level"] == "ok", found["source", call]
    assert found["source", "clock"]["level"] == "note" and "NTP" in found["source", "clock"]["fix"]


def test_every_service_is_signed_for(sims, messina):
    """The simulator checks each signature, and that it is for the service that is asked."""
    sim = sims("--dynamodb", "0", "--alternator", "0", "--access-key", "test", "--secret-key", "test")
    make_table(sim.dynamodb, "orders", [("id", "S", "HASH")],
               StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
               SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "arn:aws:kms:us-east-1:000000000000:key/k"})
    out, _ = messina.run(*check_args(sim, "orders", "--target-access-key", "test", "--target-secret-key-env",
                                     "AWS_SECRET_ACCESS_KEY"))
    found, _ = findings(out)
    for call in ("caller", "describe", "scan", "records", "key_call", "quotas_call"):
        assert found["source", call]["level"] == "ok", found["source", call]
    assert found["target", "version"]["level"] == "ok"
    messina.env["AWS_SECRET_ACCESS_KEY"] = "wrong"
    out, _ = messina.run(*check_args(sim, "orders"), expect=2)
    found, _ = findings(out)
    assert found["source", "describe"]["level"] == "stop"
    assert found["target", "version"]["level"] == "note"


def test_many_tables_share_what_is_shared(sims, messina):
    sim = sims()
    for name, count in (("small", 50), ("large", 200)):
        make_table(sim.dynamodb, name, [("id", "S", "HASH")])
        load(sim.dynamodb, name, ({"id": {"S": f"o{i}"}, "v": {"S": "x" * 10_000}} for i in range(count)))
    args = ["check", "dynamodb://us-east-1", f"alternator://{sim.alternator_addresses[0]}", "--source-endpoint",
            f"http://{sim.dynamodb_address}", "--json", "--tables", "small,large", "--read-rcu", "10"]
    events = [json.loads(line) for line in messina.run(*args)[0].splitlines()]
    tables, last = [e for e in events if e["event"] == "check"], events[-1]
    assert [e["source"].rsplit("/", 1)[1] for e in tables] == ["large", "small"]  # the biggest first
    assert last["event"] == "check_tables" and last["tables"] == 2 and last["made"]["tables"] == 2
    for figure in ("items", "bytes", "rcu_copy", "cost_copy", "cost_export"):
        assert last["estimate"][figure] == pytest.approx(sum(e["estimate"][figure] for e in tables))
    assert last["estimate"]["seconds"] == last["estimate"]["rcu_copy"] / 10
    findings = [e for e in events if e["event"] == "finding"]
    assert len({(e["table"], e["side"], e["id"]) for e in findings}) == len(findings)
    assert {e["table"] for e in findings} == {None, "small", "large"}
    assert [e["table"] for e in findings if e["id"] == "quotas_call"] == [None]
    for word, key in (("ok", "ok"), ("note", "notes"), ("stop", "stops")):
        assert last[key] == sum(e["level"] == word for e in findings)
    # Half of it, where the copy may read so.
    events = [json.loads(line) for line in messina.run(*args, "--eventually-consistent")[0].splitlines()]
    assert events[-1]["estimate"]["rcu_copy"] == last["estimate"]["rcu_copy"] / 2
    assert events[-1]["estimate"]["rcu_strong"] == last["estimate"]["rcu_strong"]
    assert events[-1]["estimate"]["seconds"] == last["estimate"]["seconds"] / 2


def test_one_of_many_tables_that_cannot_be_copied(sims, messina):
    sim = sims()
    make_table(sim.dynamodb, "orders", [("id", "S", "HASH")])
    args = ["check", "dynamodb://us-east-1", f"alternator://{sim.alternator_addresses[0]}", "--source-endpoint",
            f"http://{sim.dynamodb_address}", "--json", "--tables", "orders,gone"]
    events = [json.loads(line) for line in messina.run(*args, expect=2)[0].splitlines()]
    assert events[-1]["tables_stopped"] == 1 and events[-1]["exit_code"] == 2
    assert {e["table"] for e in events if e["event"] == "finding" and e["level"] == "stop"} == {"gone"}
    # What one table's call told of all of them names none of them.
    (metrics,) = (e for e in events if e["event"] == "finding" and e["id"] == "metrics")
    assert metrics["table"] is None and 'table "' not in metrics["text"] and "the source (" in metrics["text"]


def test_writing_to_dynamodb_takes_its_write_capacity(sims, messina):
    source, target = sims(), sims()
    make_table(source.dynamodb, "orders", [("id", "S", "HASH")])
    load(source.dynamodb, "orders", ({"id": {"S": f"o{i}"}, "v": {"S": "x"}} for i in range(200)))
    make_table(target.dynamodb, "orders", [("id", "S", "HASH")], BillingMode="PROVISIONED",
               ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 10})
    args = ["check", "dynamodb://us-east-1/orders", "dynamodb://us-east-1/orders",
            "--source-endpoint", f"http://{source.dynamodb_address}",
            "--target-endpoint", f"http://{target.dynamodb_address}", "--json"]
    estimate = findings(messina.run(*args)[0])[1]["estimate"]
    assert estimate["wcu"] == 200 and estimate["seconds"] == 200 / 5
    assert estimate["limited_by"] == "half of the target's provisioned capacity"
    estimate = findings(messina.run(*args, "--write-wcu", "2")[0])[1]["estimate"]
    assert estimate["seconds"] == 200 / 2 and estimate["limited_by"] == "--write-wcu"
