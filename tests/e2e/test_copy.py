"""Whole tables, real and generated, arrive equal."""
import json
import re

import pytest

import oracle
from conftest import load, make_table
from datasets import GENERATED_KEY, ROWS_KEY, generated, rows_of


def summary(out):
    """The summary event of a run with --json; its counts add up."""
    events = [json.loads(line) for line in out.splitlines() if line.strip()]
    found = next(e for e in reversed(events) if e["event"] == "summary")
    counts = found["counts"]
    assert counts["read_items"] == counts["written_items"] + counts["rejected_items"]
    return found


def counted(out):
    """(read, written, rejected) of a run with --json."""
    counts = summary(out)["counts"]
    return counts["read_items"], counts["written_items"], counts["rejected_items"]


def copy_and_compare(sim, messina, table, count, *flags):
    out, _ = messina.run(*messina.copy_args(sim, table, "--json", *flags))
    assert counted(out) == (count, count, 0)
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, table) == count


def test_movies(sims, messina, vega):
    sim = sims()
    make_table(sim.dynamodb, "movies", ROWS_KEY)
    count = load(sim.dynamodb, "movies", rows_of(vega / "movies.json"))
    copy_and_compare(sim, messina, "movies", count)


def test_flights(sims, messina, vega):
    sim = sims()
    make_table(sim.dynamodb, "flights", ROWS_KEY)
    count = load(sim.dynamodb, "flights", rows_of(vega / "flights-20k.json"))
    copy_and_compare(sim, messina, "flights", count, "--segments", 7)


@pytest.mark.parametrize("seed, gzip", [(1, False), (2, True)])
def test_everything_the_data_model_has(sims, messina, seed, gzip):
    sim = sims("--dynamodb", 0, "--alternator", 0, *(["--accept-gzip"] if gzip else []))
    make_table(sim.dynamodb, "all", GENERATED_KEY)
    count = load(sim.dynamodb, "all", generated(seed, 2000))
    copy_and_compare(sim, messina, "all", count, *(["--target-gzip"] if gzip else []))


def test_dynamodb_to_dynamodb_and_back_from_alternator(sims, messina):
    sim, other = sims(), sims()
    make_table(sim.dynamodb, "all", GENERATED_KEY)
    count = load(sim.dynamodb, "all", generated(3, 500))
    messina.run("copy", "dynamodb://us-east-1/all", "dynamodb://us-east-1/copy",
                "--source-endpoint", f"http://{sim.dynamodb_address}",
                "--target-endpoint", f"http://{other.dynamodb_address}")
    assert oracle.assert_equal(sim.dynamodb, other.dynamodb, "all", "copy") == count
    messina.run("copy", "dynamodb://us-east-1/copy", f"alternator://{sim.alternator_addresses[0]}/there",
                "--source-endpoint", f"http://{other.dynamodb_address}")
    messina.run("copy", f"alternator://{sim.alternator_addresses[0]}/there", "dynamodb://us-east-1/back",
                "--target-endpoint", f"http://{other.dynamodb_address}")
    assert oracle.assert_equal(sim.dynamodb, other.dynamodb, "all", "back") == count


def test_again_writes_nothing_and_restart_starts_over(sims, messina):
    sim = sims()
    make_table(sim.dynamodb, "all", GENERATED_KEY)
    load(sim.dynamodb, "all", generated(4, 100))
    args = messina.copy_args(sim, "all")
    messina.run(*args)
    sim.alternator.put_item(TableName="all", Item={"p": {"S": "mine"}, "s": {"N": "1"}})
    sim.alternator.delete_item(TableName="all", Key={"p": {"S": "special"}, "s": {"N": "-1"}})
    out, err = messina.run(*args)
    assert re.search("already", out + err)
    key = {"p": {"S": "special"}, "s": {"N": "-1"}}
    assert "Item" not in sim.alternator.get_item(TableName="all", Key=key)
    messina.run(*args, "--restart")
    assert "Item" in sim.alternator.get_item(TableName="all", Key=key)


def test_a_target_that_is_not_empty_is_refused(sims, messina):
    sim = sims()
    for dynamo in (sim.dynamodb, sim.alternator):
        make_table(dynamo, "all", GENERATED_KEY)
    load(sim.dynamodb, "all", generated(5, 50))
    sim.alternator.put_item(TableName="all", Item={"p": {"S": "mine"}, "s": {"N": "1"}})
    _, err = messina.run(*messina.copy_args(sim, "all"), expect=4)
    assert "--into-existing" in err
    messina.run(*messina.copy_args(sim, "all", "--into-existing"))
    assert "Item" in sim.alternator.get_item(TableName="all", Key={"p": {"S": "mine"}, "s": {"N": "1"}})


def test_renames_and_drops(sims, messina):
    sim = sims()
    make_table(sim.dynamodb, "people", [("id", "S", "HASH")])
    items = [{"id": {"S": f"k{i}"}, "old": {"N": str(i)}, "junk": {"S": "x" * i}, "kept": {"BOOL": True}} for i in range(300)]
    load(sim.dynamodb, "people", items)
    messina.run(*messina.copy_args(sim, "people", "--rename", "id=key", "--rename", "old=new", "--drop", "junk"))
    target = oracle.read_all(sim.alternator, "people")
    assert target == {(f"k{i}",): {"key": f"k{i}", "new": i, "kept": True} for i in range(300)}


def test_skip_segments_leaves_them_out(sims, messina):
    sim = sims()
    make_table(sim.dynamodb, "flights", ROWS_KEY)
    load(sim.dynamodb, "flights", ({"id": {"N": str(i)}} for i in range(2000)))
    messina.run(*messina.copy_args(sim, "flights", "--segments", 4, "--skip-segments", "1,3"))
    expected = set()
    for segment in (0, 2):
        page = sim.dynamodb.scan(TableName="flights", Segment=segment, TotalSegments=4)
        expected |= {item["id"]["N"] for item in page["Items"]}
    assert {str(key[0]) for key in oracle.read_all(sim.alternator, "flights")} == expected


def test_one_unit_runs_from_its_json_alone(sims, messina, tmp_path):
    sim = sims()
    make_table(sim.dynamodb, "flights", ROWS_KEY)
    count = load(sim.dynamodb, "flights", ({"id": {"N": str(i)}, "x": {"S": "y" * 50}} for i in range(1000)))
    out, _ = messina.run(*messina.copy_args(sim, "flights", "--segments", 3, "--print-units"))
    units = out.splitlines()
    assert len(units) == 3
    messina.run("schema", *messina.copy_args(sim, "flights")[1:])
    for number, unit in enumerate(units):
        assert "secret" not in unit
        file = tmp_path / f"unit{number}.json"
        file.write_text(unit)
        messina.run("copy-unit", file)
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, "flights") == count


def test_a_table_that_is_made_is_tagged_as_ours_at_once(sims, messina):
    sim = sims()
    make_table(sim.dynamodb, "flights", ROWS_KEY)
    load(sim.dynamodb, "flights", ({"id": {"N": str(i)}} for i in range(10)))
    messina.run(*messina.copy_args(sim, "flights"))
    calls = sim.control("alternator", "stats")["calls"]
    assert calls["CreateTable"] == 1 and "TagResource" not in calls
    arn = sim.alternator.describe_table(TableName="flights")["Table"]["TableArn"]
    tags = {tag["Key"]: tag["Value"] for tag in sim.alternator.list_tags_of_resource(ResourceArn=arn)["Tags"]}
    assert tags["messina:owner"] and tags["messina:epoch"] == "1"
    # It is ours: the same state goes on, another is kept out.
    messina.run(*messina.copy_args(sim, "flights", "--restart"))
    messina.state = messina.state.with_name("another")
    _, err = messina.run(*messina.copy_args(sim, "flights", "--into-existing"), expect=4)
    assert "belongs to another migration" in err
