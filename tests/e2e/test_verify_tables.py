"""Verify and repair of many tables by one command, at rest and beside a live migration of them."""
import json

import oracle
from test_migrate_tables import NAMES, args_of, named, sim, statuses, wait_until, writers  # noqa: F401
from test_migrate import stop
from test_tables import make_tables, many_args

COUNT = 3


def verdicts(out):
    """{target's table: whether it is verified} of all summaries."""
    events = [json.loads(line) for line in out.splitlines()]
    return {event["target"].rpartition("/")[2]: event["verified"] for event in events if event["event"] == "verify_summary"}


def test_each_is_verified_and_repaired_for_itself(sims, messina, tmp_path):
    sim = sims()
    names = make_tables(sim, COUNT)
    where = many_args(sim, "t*")[1:]
    messina.run("copy", *where)
    out, _ = messina.run("verify", *where, "--json")
    assert verdicts(out) == dict.fromkeys(names, True)

    sim.alternator.delete_item(TableName=names[1], Key={"id": {"S": f"{names[1]}-7"}})
    page = tmp_path / "report.md"
    out, _ = messina.run("verify", *where, "--json", "--report", page, expect=1)
    assert verdicts(out) == {name: name != names[1] for name in names}
    for name in names:
        text = (tmp_path / f"report-{name}.md").read_text()
        assert name in text and ("only on source" in text) == (name == names[1])
    assert not page.exists()

    keys = tmp_path / "keys"
    keys.write_text(json.dumps({"id": {"S": f"{names[1]}-7"}}) + "\n")
    _, err = messina.run("verify", *where, "--keys", keys, expect=2)
    assert "--keys names keys of one table" in err

    messina.run("repair", *where)
    for name in names:
        oracle.assert_equal(sim.dynamodb, sim.alternator, name)


def test_tables_of_a_running_migration_are_verified_through_its_sockets(sim, messina, writers):  # noqa: F811
    process = messina.start(*args_of(sim, "--json"))
    try:
        for writer in writers:
            writer.start()
        wait_until("in step", lambda: len(now := statuses(messina)) == len(NAMES) and all(
            (table["progress"].get("live") or {}).get("in_step") for table in now.values()))

        for writer in writers:
            writer.stop()
        out, _ = messina.run("verify", *named(sim), "--json")
        assert verdicts(out) == dict.fromkeys(NAMES, True)
        key = {"id": {"S": "never-written"}}
        sim.alternator.put_item(TableName=NAMES[2], Item=key | {"v": {"S": "x"}})
        out, _ = messina.run("verify", *named(sim), "--json", expect=1)
        assert verdicts(out) == {name: name != NAMES[2] for name in NAMES}
        messina.run("repair", *named(sim), "--delete-extra", "--max-deletes", 1)
        assert "Item" not in sim.alternator.get_item(TableName=NAMES[2], Key=key, ConsistentRead=True)
    finally:
        stop(process)
