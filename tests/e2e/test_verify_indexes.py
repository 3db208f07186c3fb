"""verify --indexes: what the target's indexes lack, and what they have too much, is found beside the items' differences."""
import json

import pytest

from conftest import load
from test_migrate import TIMES, eventually, live_status, migrate_args, started, stop  # noqa: F401
from test_verify import verified, verify_args

CITIES = ("Bergen", "Oslo", "Turku")


def index(name, *key):
    return {"IndexName": name, "KeySchema": [{"AttributeName": n, "KeyType": t} for n, t in zip(key, ("HASH", "RANGE"))],
            "Projection": {"ProjectionType": "KEYS_ONLY"}}


def item(number):
    """One in four has no city, and so no place in by_city."""
    raw = {"id": {"S": f"o{number}"}, "total": {"N": str(number % 50)}, "text": {"S": "x" * 40}}
    if number % 4:
        raw["city"] = {"S": CITIES[number % 3]}
    return raw


def make(client, *indexes):
    names = {"id": "S", "city": "S", "total": "N"}
    used = {"id"} | {key["AttributeName"] for each in indexes for key in each["KeySchema"]}
    client.create_table(
        TableName="live", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in names.items() if n in used],
        **({"GlobalSecondaryIndexes": list(indexes)} if indexes else {}))
    client.get_waiter("table_exists").wait(TableName="live", WaiterConfig={"Delay": 1})


@pytest.fixture
def copied(sims, messina):
    sim = sims("--dynamodb", 0, "--alternator", 0, "--seed", 8)
    make(sim.dynamodb, index("by_city", "city", "total"), index("by_total", "total"))
    load(sim.dynamodb, "live", [item(number) for number in range(400)])
    messina.run(*messina.copy_args(sim, "live"))
    return sim


def told(messina, sim, *flags, expect=0):
    out, _ = messina.run(*verify_args(messina, sim, "--json", "--indexes", *flags), expect=expect)
    summary = verified(out)
    return summary, {each["name"]: each for each in summary["indexes"]}


def test_indexes_that_are_as_the_items_say_are_equal(copied, messina):
    summary, indexes = told(messina, copied)
    assert summary["verified"] and summary["scope"]["indexes"]
    assert indexes["by_city"]["entries"] == 300 and indexes["by_total"]["entries"] == 400
    assert all(each["missing"] == each["extra"] == each["unsettled"] == 0 for each in indexes.values())
    out, _ = messina.run(*verify_args(messina, copied, "--indexes"))
    assert "by_city: 300 entries, as the items say" in out
    out, _ = messina.run(*verify_args(messina, copied, "--json"))
    assert verified(out)["indexes"] is None


def test_entries_that_are_missing_or_too_many_are_found(copied, messina, tmp_path):
    stray = {**item(5), "city": {"S": "Bergen"}}  # an entry under a former city, beside the right one
    ghost = {"id": {"S": "gone"}, "city": {"S": "Oslo"}, "total": {"N": "1"}}
    copied.control("alternator", "tables/live/index", {
        "index": "by_city", "lose": [{"id": item(n)["id"]} for n in (1, 2, 3)], "add": [stray, ghost]})
    page = tmp_path / "page.md"
    summary, indexes = told(messina, copied, "--report", page, expect=1)
    assert not summary["verified"] and summary["differences"] == 0
    assert summary["not_verified"] == ['index "by_city" lacks 3 entries', 'index "by_city" has 2 entries too many']
    assert (indexes["by_city"]["missing"], indexes["by_city"]["extra"], indexes["by_city"]["unsettled"]) == (3, 2, 0)
    assert indexes["by_total"]["missing"] == indexes["by_total"]["extra"] == 0
    assert "Indexes of the target" in page.read_text() and "by\\_total" in page.read_text()
    out, _ = messina.run("diff", "--json")
    listed = {(each["what"], each["key"]["id"]["S"]) for each in map(json.loads, filter(None, out.split("\n")))
              if each["event"] == "index_difference"}
    assert listed == {("missing", "o1"), ("missing", "o2"), ("missing", "o3"), ("extra", "o5"), ("extra", "gone")}
    out, _ = messina.run("diff", "--redact-keys")
    assert out.count("index by_city: lacks  key ") == 3 and "o1" not in out

    copied.control("alternator", "tables/live/index", {"index": "by_city"})
    assert told(messina, copied)[0]["verified"]


def test_an_index_that_the_target_has_not_is_told(sims, messina):
    sim = sims("--dynamodb", 0, "--alternator", 0)
    make(sim.dynamodb, index("by_city", "city"))
    make(sim.alternator)
    load(sim.dynamodb, "live", [item(number) for number in range(20)])
    load(sim.alternator, "live", [item(number) for number in range(20)])
    summary, indexes = told(messina, sim, expect=1)
    assert summary["not_verified"] == ['the target has no index "by_city (city)"'] and indexes["by_city (city)"]["absent"]


def test_an_index_of_another_key_is_another_index(sims, messina):
    sim = sims("--dynamodb", 0, "--alternator", 0)
    make(sim.dynamodb, index("one", "city", "total"), index("two", "city"))
    make(sim.alternator, index("one", "city"), index("two", "city"))
    for client in (sim.dynamodb, sim.alternator):
        load(client, "live", [item(number) for number in range(20)])
    summary, indexes = told(messina, sim, expect=1)
    assert summary["not_verified"] == ['the target has no index "one (city, total)"']
    assert indexes["two"]["entries"] == indexes["one"]["entries"] == 15


def test_indexes_go_with_whole_tables_only(copied, messina):
    for flags in (("--sample", "10%"), ("--segment", "0/2"), ("--keys", "keys.jsonl")):
        _, err = messina.run(*verify_args(messina, copied, "--indexes", *flags), expect=2)
        assert "--indexes compares all of them: leave --sample, --segment and --keys out" in err


def test_beside_a_live_migration_what_moves_is_no_difference(sims, messina, started):  # noqa: F811
    sim = sims("--dynamodb", 0, "--alternator", 0, "--seed", 9)
    make(sim.dynamodb, index("by_city", "city", "total"))
    load(sim.dynamodb, "live", [item(number) for number in range(300)])
    migration = started(*migrate_args(messina, sim, "live", *TIMES))
    eventually(lambda: live_status(messina).get("in_step"), "in step")
    writing = True

    def writes():
        number = 0
        while writing:
            number += 1
            key = {"id": item(number % 150)["id"]}
            if number % 5 == 0:
                sim.dynamodb.update_item(TableName="live", Key=key, UpdateExpression="REMOVE city")
            else:
                sim.dynamodb.update_item(TableName="live", Key=key, UpdateExpression="SET city = :c, #t = :t",
                                         ExpressionAttributeNames={"#t": "total"}, ExpressionAttributeValues={
                                             ":c": {"S": CITIES[number % 3]}, ":t": {"N": str(number % 9)}})

    import threading
    writer = threading.Thread(target=writes)
    writer.start()
    try:
        # One that nobody writes to is lost.
        sim.control("alternator", "tables/live/index", {"index": "by_city", "lose": [{"id": item(201)["id"]}]})
        summary, indexes = told(messina, sim, expect=1)
    finally:
        writing = False
        writer.join()
    assert summary["live"] and summary["differences"] == 0
    assert (indexes["by_city"]["missing"], indexes["by_city"]["extra"]) == (1, 0), indexes
    summary, indexes = told(messina, sim, expect=1)
    assert (indexes["by_city"]["missing"], indexes["by_city"]["extra"], indexes["by_city"]["unsettled"]) == (1, 0, 0)
    stop(migration)
