"""`messina check` against clusters and states that golden texts cannot hold still."""
import json

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
