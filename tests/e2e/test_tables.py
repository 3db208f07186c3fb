"""Many tables at once: each a migration of its own, with its own outcome, and a rerun that goes on where each stood."""
import json
import signal

import oracle
from conftest import load, make_table

KEY = [("id", "S", "HASH")]
COUNT = 20


def many_args(sim, tables, *more):
    return ["copy", "dynamodb://us-east-1", f"alternator://{sim.alternator_addresses[0]}",
            "--source-endpoint", f"http://{sim.dynamodb_address}", "--tables", tables, *more]


def make_tables(sim, count=COUNT, items=50):
    """t00, t01, …: the higher the number, the more items."""
    names = [f"t{i:02}" for i in range(count)]
    for i, name in enumerate(names):
        make_table(sim.dynamodb, name, KEY)
        load(sim.dynamodb, name, ({"id": {"S": f"{name}-{k}"}, "v": {"N": str(k)}} for k in range(items + i)))
    return names


def ends(out):
    """{source's table: (end, exit code)} of the last event."""
    last = json.loads(out.splitlines()[-1])
    assert last["event"] == "tables"
    return {table["source_table"]: (table["end"], table["exit_code"]) for table in last["tables"]}


def test_all_arrive_under_their_new_names(sims, messina):
    sim = sims()
    names = make_tables(sim)
    make_table(sim.dynamodb, "other", KEY)
    out, _ = messina.run(*many_args(sim, "t*", "--target-name", "{table}_v2", "--json"))
    assert ends(out) == {name: ("done", 0) for name in names}
    for i, name in enumerate(names):
        assert oracle.assert_equal(sim.dynamodb, sim.alternator, name, f"{name}_v2") == 50 + i
    assert sorted(sim.alternator.list_tables()["TableNames"]) == [f"{name}_v2" for name in names]
    # Each is a migration of its own.
    status, _ = messina.run("status", "--json")
    assert [json.loads(line)["phase"] for line in status.splitlines()] == ["done"] * COUNT
    out, _ = messina.run(*many_args(sim, "t*", "--target-name", "{table}_v2", "--json"))
    assert ends(out) == {name: ("already done", 0) for name in names}


def test_an_address_that_does_not_answer_is_a_setting_until_something_is_begun(sims, messina):
    sim = sims()
    names = make_tables(sim, count=3, items=1)
    nobody = many_args(sim, "t*", "--json")
    nobody[2] = "alternator://127.0.0.1:1"
    for _ in range(2):  # the first leaves empty ledgers
        out, _ = messina.run(*nobody, expect=2)
        assert ends(out) == {name: ("failed", 2) for name in names}
    # Where a table of the run is begun, the others met an outage.
    sim.control("alternator", "faults", {"kind": "cut_before", "operation": "DescribeTable", "table": "t02"})
    out, _ = messina.run(*many_args(sim, "t*", "--json"), expect=3)
    assert ends(out) == {"t00": ("done", 0), "t01": ("done", 0), "t02": ("failed", 3)}
    messina.run("status", "--check", expect=3)
    sim.control("alternator", "faults", {"clear": True})
    messina.run(*many_args(sim, "t*", "--json"))


def test_one_that_fails_does_not_stop_the_others(sims, messina):
    sim = sims()
    names = make_tables(sim)
    make_table(sim.alternator, "t07", [("another", "N", "HASH")])  # a key that differs needs a person
    load(sim.dynamodb, "t03", [{"id": {"S": "bad"}, "poison": {"S": "x"}}])
    sim.control("alternator", "faults", {"kind": "reject_items", "attribute": "poison"})

    out, err = messina.run(*many_args(sim, "t*,gone", "--json"), expect=4)
    expected = {name: ("done", 0) for name in names}
    expected.update(t07=("failed", 4), t03=("done", 1), gone=("failed", 2))
    assert ends(out) == expected
    failures = [json.loads(line) for line in err.splitlines()]
    assert {f["message"].split(":")[0] for f in failures if f["event"] == "error"} == {"t07", "gone"}
    for i, name in enumerate(names):
        if name not in ("t03", "t07"):
            assert oracle.assert_equal(sim.dynamodb, sim.alternator, name) == 50 + i

    # The rejects belong to the one table.
    target = f"alternator://{sim.alternator_addresses[0]}/t03"
    listed, _ = messina.run("rejects", "list", "dynamodb://us-east-1/t03", target,
                            "--source-endpoint", f"http://{sim.dynamodb_address}")
    assert "1 live reject" in listed + _

    # Cured, the same command does what is left.
    sim.alternator.delete_table(TableName="t07")
    make_table(sim.dynamodb, "gone", KEY)
    out, _ = messina.run(*many_args(sim, "t*,gone", "--json"), expect=1)
    expected = {name: ("already done", 0) for name in names}
    expected.update(t07=("done", 0), t03=("already done", 1), gone=("done", 0))
    assert ends(out) == expected
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, "t07") == 57


def slowed_until_some_are_done(sim, messina, *more):
    """Starts a run whose later tables stand still; returns the process once a table is done, and the lines so far."""
    sim.control("alternator", "faults", {"kind": "latency", "operation": "BatchWriteItem", "ms": 300, "skip": 40})
    process = messina.start(*many_args(sim, "t*", "--json", "--parallel-tables", "2", "--order", "name", *more))
    lines = []
    for line in process.stdout:
        lines.append(line)
        if json.loads(line)["event"] == "summary":
            return process, lines
    raise AssertionError(f"ended before a table was done: {lines} {process.stderr.read()}")


def test_ctrl_c_stops_all_and_the_next_run_goes_on(sims, messina):
    sim = sims()
    names = make_tables(sim)
    process, _ = slowed_until_some_are_done(sim, messina)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 3, out + err
    stopped = ends(out)
    assert set(stopped) == set(names)
    assert {end for end, _ in stopped.values()} <= {"done", "stopped", "not begun"}
    assert "not begun" in {end for end, _ in stopped.values()}

    sim.control("alternator", "faults", {"clear": True})
    out, _ = messina.run(*many_args(sim, "t*", "--json"))
    after = ends(out)
    for name in names:
        assert after[name] == ("already done" if stopped[name][0] == "done" else "done", 0)
        oracle.assert_equal(sim.dynamodb, sim.alternator, name)


def test_a_killed_run_goes_on(sims, messina):
    sim = sims()
    names = make_tables(sim)
    process, _ = slowed_until_some_are_done(sim, messina)
    process.kill()
    process.communicate()
    sim.control("alternator", "faults", {"clear": True})
    out, _ = messina.run(*many_args(sim, "t*", "--json", "--dead-after", "1s", "--clock-error", "100ms"))
    after = ends(out)
    assert {end for end, _ in after.values()} == {"done", "already done"}
    for name in names:
        oracle.assert_equal(sim.dynamodb, sim.alternator, name)


def test_the_read_budget_is_of_all_together(sims, messina):
    sim = sims()
    make_tables(sim, count=6, items=200)
    out, _ = messina.run(*many_args(sim, "t*", "--json", "--read-rcu", "100", "--segments", "1"))
    last = json.loads(out.splitlines()[-1])
    cost = last["counts"]["rcu"]
    # A second's worth may be saved up, and the estimates of the first reads be off.
    assert last["elapsed_s"] >= (cost - 100) / 100 * 0.5
    assert {table["end"] for table in last["tables"]} == {"done"}


def test_progress_carries_the_table(sims, messina):
    sim = sims()
    names = make_tables(sim, count=4, items=1000)
    sim.control("alternator", "faults", {"kind": "latency", "operation": "BatchWriteItem", "ms": 500})
    out, _ = messina.run(*many_args(sim, "t*", "--json", "--write-concurrency", "4"))
    events = [json.loads(line) for line in out.splitlines()]
    tables = {event["table"] for event in events if event["event"] == "progress"}
    assert tables and tables <= set(names)
    sums = [event for event in events if event["event"] == "tables_progress"]
    assert sums and all(event["tables"] == 4 and set(event["running"]) <= set(names) for event in sums)
    shares = [event["share_done"] for event in sums]
    assert all(0 <= share <= 1 for share in shares)


def test_a_plan_of_tables_and_schema_alone(sims, messina, tmp_path):
    sim = sims()
    make_tables(sim, count=3)
    plan = tmp_path / "plan.yaml"
    plan.write_text(f"""version: 1
source: {{uri: dynamodb://us-east-1, endpoint: 'http://{sim.dynamodb_address}'}}
target: alternator://{sim.alternator_addresses[0]}
tables:
  - {{table: t01, target: people, drop: [v]}}
  - t*
exclude: [t00]
""")
    messina.run("schema", "--plan", plan)
    assert sorted(sim.alternator.list_tables()["TableNames"]) == ["people", "t02"]
    out, _ = messina.run("schema", "--plan", plan, "--json")
    assert ends(out) == {"t01": ("there already", 0), "t02": ("there already", 0)}
    messina.run("copy", "--plan", plan)
    oracle.assert_equal(sim.dynamodb, sim.alternator, "t02")
    items = sim.alternator.scan(TableName="people")["Items"]
    assert len(items) == 51 and all(set(item) == {"id"} for item in items)
