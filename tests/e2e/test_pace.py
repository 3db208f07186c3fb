"""The pace of a copy, end to end: budgets, what the application leaves free, refusals, and what the progress says."""
import json
import time

import pytest
from conftest import client, load, make_table


ITEM_BYTES = 4000


def items(count, size=ITEM_BYTES):
    for n in range(count):
        yield {"id": {"S": f"{n:06}"}, "fill": {"S": "x" * (size - 20)}}


def provisioned(reads, writes=100_000):
    return {"BillingMode": "PROVISIONED",
            "ProvisionedThroughput": {"ReadCapacityUnits": reads, "WriteCapacityUnits": writes}}


def fill(sim, name, count, **extra):
    make_table(sim.dynamodb, name, [("id", "S", "HASH")], **extra)
    lines = "\n".join(json.dumps(item) for item in items(count))
    import urllib.request
    request = urllib.request.Request(f"http://{sim.dynamodb_address}/_sim/tables/{name}/load", data=lines.encode(), method="POST")
    urllib.request.urlopen(request, timeout=60).read()


def copy(messina, sim, table, *flags, metrics=True, **kwargs):
    if metrics:
        messina.env["AWS_ENDPOINT_URL_CLOUDWATCH"] = f"http://{sim.dynamodb_address}"
    out, err = messina.run(*messina.copy_args(sim, table, "--json", *flags), **kwargs)
    events = [json.loads(line) for line in out.splitlines()]
    progress = [e for e in events if e["event"] == "progress" and e["phase"] != "preparing"]
    # A short copy ends before its first line of progress; its last snapshot is in the ledger.
    status, _ = messina.run("status", "--json")
    last = [m["progress"] for m in map(json.loads, status.splitlines()) if m["source"].endswith("/" + table)]
    return progress + last, events[-1], err


def by_second(sim, table):
    return {second: reads for second, reads, _ in sim.control("dynamodb", f"tables/{table}/consumed")["seconds"]}


def most_in(seconds, length):
    return max(sum(seconds.get(begin + i, 0) for i in range(length)) for begin in seconds)


def test_a_fixed_budget_is_kept(messina, sims):
    sim = sims()
    fill(sim, "orders", 3000)  # about 3,000 RCU
    progress, summary, _ = copy(messina, sim, "orders", "--read-rcu", 300)
    assert summary["counts"]["written_items"] == 3000
    assert progress[0]["read_budget_rcu_per_s"] == 300 and progress[0]["read_budget_why"] == "--read-rcu"
    # A second of the simulator's clock may hold a part of its neighbour's; ten may not.
    assert most_in(by_second(sim, "orders"), 10) <= 300 * 10 * 1.02 + 300 * 0.2


def test_by_default_half_of_what_the_application_leaves_free(messina, sims):
    sim = sims()
    fill(sim, "orders", 1500, **provisioned(2000))
    sim.control("dynamodb", "tables/orders/consumed", {"reads": 1000, "writes": 0, "seconds": 600})
    progress, summary, err = copy(messina, sim, "orders")
    assert summary["finished"] and "CloudWatch" not in err
    told = [p for p in progress if p["read_budget_rcu_per_s"]]
    assert told[0]["read_budget_rcu_per_s"] == pytest.approx(500, rel=0.02)
    assert told[0]["application_rcu_per_s"] == pytest.approx(1000, rel=0.02)
    assert told[0]["read_budget_why"].startswith("half of what is free: 2,000 RCU/s provisioned")
    assert sim.control("dynamodb", "tables/orders/consumed")["throttled_reads"] == 0


def test_without_leave_to_ask_cloudwatch_a_quarter_and_said_once(messina, sims):
    sim = sims()
    fill(sim, "orders", 400, **provisioned(2000))
    sim.control("dynamodb", "faults", {"kind": "access_denied", "operation": "GetMetricData"})
    progress, _, err = copy(messina, sim, "orders")
    assert [p["read_budget_rcu_per_s"] for p in progress if p["read_budget_rcu_per_s"]][0] == 500
    assert err.count("cloudwatch:GetMetricData") == 1


def test_no_cloudwatch_beside_another_dynamodb(messina, sims):
    sim = sims()
    fill(sim, "orders", 100, **provisioned(2000))
    _, _, err = copy(messina, sim, "orders", metrics=False)
    assert "GetMetricData" not in sim.control("dynamodb", "stats")["calls"] and "loudwatch" not in err


def test_a_share_and_an_on_demand_table(messina, sims):
    sim = sims()
    fill(sim, "orders", 100, **provisioned(1000))
    progress, _, _ = copy(messina, sim, "orders", "--read-share", "30%")
    assert progress[-1]["read_budget_rcu_per_s"] == 300
    fill(sim, "others", 100)
    progress, _, _ = copy(messina, sim, "others")
    assert progress[-1]["read_budget_rcu_per_s"] == 1200
    assert "on-demand" in progress[-1]["read_budget_why"]
    assert progress[-1]["write_budget_wcu_per_s"] is None


def slow_servers(sim):
    """As far away as AWS may be: 200 ms a page, 20 ms a write."""
    sim.control("dynamodb", "faults", {"kind": "latency", "operation": "Scan", "ms": 200})
    sim.control("alternator", "faults", {"kind": "latency", "operation": "BatchWriteItem", "ms": 20})


def assert_budget_was_kept(sim, table, rate):
    """No ten seconds of the simulator's clock hold over 102 % of it; a fifth of a second's requests may come late on a
    busy machine."""
    consumed = sim.control("dynamodb", f"tables/{table}/consumed")
    assert consumed["throttled_reads"] == 0
    assert most_in(by_second(sim, table), 10) <= rate * 10 * 1.02 + rate * 0.2


@pytest.mark.parametrize("rate", [100, 2000])
def test_budgets_are_kept_with_slow_pages_and_writes(messina, sims, rate):
    sim = sims()
    slow_servers(sim)
    fill(sim, "orders", rate * 6)
    _, summary, _ = copy(messina, sim, "orders", "--read-rcu", rate)
    assert summary["counts"]["written_items"] == rate * 6
    assert_budget_was_kept(sim, "orders", rate)


def test_a_stall_of_the_target_is_not_made_up_for(messina, sims):
    """What was not read while the target stood still is not read on top of the budget afterwards."""
    sim = sims()
    slow_servers(sim)
    fill(sim, "orders", 4000)
    sim.control("alternator", "faults", {"kind": "stop", "operation": "BatchWriteItem", "skip": 10, "count": 1, "ms": 4000})
    progress, summary, _ = copy(messina, sim, "orders", "--read-rcu", 500)
    assert summary["counts"]["written_items"] == 4000
    assert any(p["holder"] == "target latency" for p in progress)
    assert progress[-1]["unknown_outcomes"] == 0 and progress[-1]["retries"] == 0
    assert_budget_was_kept(sim, "orders", 500)


def test_the_application_is_not_throttled(messina, sims):
    """It reads 300 RCU/s and writes 24 WCU/s beside a copy, and twice as much later, of a table of 1,200 RCU/s and 120 WCU/s
    without any burst."""
    sim = sims()
    slow_servers(sim)
    fill(sim, "orders", 4000, **provisioned(1200, 120))
    sim.control("dynamodb", "tables/orders/consumed", {"reads": 300, "writes": 24, "seconds": 600})
    messina.env["AWS_ENDPOINT_URL_CLOUDWATCH"] = f"http://{sim.dynamodb_address}"
    # Whatever is refused is an exception, not a second attempt.
    application = client(sim.dynamodb_address, attempts=1)
    process = messina.start(*messina.copy_args(sim, "orders", "--json"))
    begin, read = time.monotonic(), 0
    while process.poll() is None:
        elapsed = time.monotonic() - begin
        due = 300 * min(elapsed, 4) + 600 * max(0.0, elapsed - 4)
        while read < due:  # 25 items of 1 RCU each, and one of 2 WCU for every 25 RCU
            answer = application.batch_get_item(RequestItems={"orders": {"ConsistentRead": True, "Keys": [
                {"id": {"S": f"{(read + i) % 4000:06}"}} for i in range(25)]}})
            assert not answer["UnprocessedKeys"]
            application.put_item(TableName="orders", Item={"id": {"S": f"{read % 4000:06}"}, "fill": {"S": "y" * 2000}})
            read += 25
        time.sleep(0.01)
    process.communicate()
    assert process.returncode == 0
    consumed = sim.control("dynamodb", "tables/orders/consumed")
    assert consumed["throttled_reads"] == 0 and consumed["throttled_writes"] == 0
    assert read > 0


def test_a_hot_partition_slows_its_own_segment_only(messina, sims):
    sim = sims()
    fill(sim, "orders", 2000)
    sim.control("dynamodb", "faults", {"kind": "throttle_key_range", "operation": "Scan", "count": 3})
    progress, summary, _ = copy(messina, sim, "orders", "--read-rcu", 4000)
    assert summary["finished"]
    assert all(p["read_budget_rcu_per_s"] in (4000, None) for p in progress)
    assert progress[-1]["throttles"] == 3


def test_a_throttled_table_halves_the_budget(messina, sims):
    sim = sims()
    fill(sim, "orders", 4000)
    sim.control("dynamodb", "faults", {"kind": "throttle_table", "operation": "Scan", "count": 1, "skip": 3})
    progress, summary, _ = copy(messina, sim, "orders", "--read-rcu", 1000)
    assert summary["finished"]
    assert any(p["read_budget_rcu_per_s"] == 500 and "throttling" in p["read_budget_why"] for p in progress)


def test_eventually_consistent_reads_cost_half(messina, sims):
    sim = sims()
    fill(sim, "orders", 1000)
    _, full, _ = copy(messina, sim, "orders", "--read-rcu", "unlimited")
    _, half, _ = copy(messina, sim, "orders", "--read-rcu", "unlimited", "--eventually-consistent", "--restart")
    assert half["counts"]["rcu"] == pytest.approx(full["counts"]["rcu"] / 2, rel=0.05)


def test_a_dynamodb_target_has_a_write_budget(messina, sims):
    sim = sims()
    fill(sim, "orders", 300)
    make_table(sim.dynamodb, "copied", [("id", "S", "HASH")], **provisioned(100, 2000))
    address = f"http://{sim.dynamodb_address}"
    messina.env["AWS_ENDPOINT_URL_CLOUDWATCH"] = address
    args = ["copy", "dynamodb://us-east-1/orders", "dynamodb://us-east-1/copied", "--source-endpoint", address,
            "--target-endpoint", address, "--json"]
    out, _ = messina.run(*args)
    progress = [e for e in map(json.loads, out.splitlines()) if e["event"] == "progress"]
    assert [p["write_budget_wcu_per_s"] for p in progress if p["write_budget_wcu_per_s"]][0] == 1000
    consumed = sim.control("dynamodb", "tables/copied/consumed")
    assert consumed["throttled_writes"] == 0
    assert sum(writes for _, _, writes in consumed["seconds"]) == 300 * 4


def test_writes_are_halved_when_the_target_refuses(messina, sims):
    sim = sims()
    fill(sim, "orders", 4000)
    sim.control("alternator", "faults", {"kind": "throttle_table", "operation": "BatchWriteItem", "count": 40})
    progress, summary, _ = copy(messina, sim, "orders", "--read-rcu", 2000)
    assert summary["counts"]["written_items"] == 4000
    assert min(p["write_concurrency"] for p in progress) <= 16
    assert any(p["write_concurrency_why"] == "refusals" for p in progress)


def test_contradictions_are_refused(messina, sims):
    sim = sims()
    _, err = messina.run(*messina.copy_args(sim, "orders", "--read-rcu", 5, "--read-share", "10%"), expect=2)
    assert "contradict" in err
    _, err = messina.run(*messina.copy_args(sim, "orders", "--write-share", "10%"), expect=2)
    assert "Alternator has none" in err
