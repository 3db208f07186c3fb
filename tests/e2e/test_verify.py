"""verify, diff and repair: what is damaged behind messina's back is found, all of it and nothing else, and made equal again."""
import base64
import copy
import json
import os
import random

import pytest

import oracle
from conftest import load, make_table
from test_chaos import FIRST_SEED, READ_FAULTS
from test_migrate import (LOOKUP_FAULTS, STREAM_FAULTS, TIMES, Writer, eventually, kill, live_status, migrate_args, started,  # noqa: F401
                          stop, written)

KEY = [("id", "S", "HASH"), ("n", "N", "RANGE")]
# Live runs without damage: in none of them anything may be reported.
QUIET_RUNS = int(os.environ.get("MESSINA_VERIFY_RUNS", "3"))


def item(number):
    """An item with a value of every kind."""
    return {
        "id": {"S": f"item-{number}"}, "n": {"N": str(number % 7)}, "count": {"N": str(number)}, "price": {"N": f"{number}.50"},
        "text": {"S": f"text of {number}"}, "empty": {"S": ""}, "nothing": {"NULL": True}, "yes": {"BOOL": number % 2 == 0},
        "bytes": {"B": base64.b64encode(bytes([number % 256, 1, 2, 3])).decode()},
        "tags": {"SS": ["a", "b", f"t{number}"]}, "scores": {"NS": ["1", "2", str(number + 10)]},
        "list": {"L": [{"N": "1"}, {"S": "two"}, {"L": [{"N": "3"}, {"N": str(number)}]}]},
        "map": {"M": {"inner": {"M": {"deep": {"S": "x"}}}, "flat": {"N": "5"}}},
    }


class Damager:
    """Changes the target behind messina's back, and keeps a ledger of what it did: key -> (verdict, path)."""

    def __init__(self, target, table, seed):
        self.target, self.table, self.rng, self.ledger = target, table, random.Random(seed), {}

    def key_of(self, raw):
        return json.dumps({"id": raw["id"], "n": raw["n"]}, sort_keys=True)

    def put(self, raw, path, verdict="differs"):
        load(self.target, self.table, [raw])
        if path is not None:
            self.ledger[self.key_of(raw)] = (verdict, path)

    def damage(self, items):
        """One kind of damage an item, as long as there are items; returns how many kinds there were."""
        kinds = [name for name in sorted(dir(self)) if name.startswith("make_")]
        for number, raw in enumerate(items):
            getattr(self, kinds[number % len(kinds)])(copy.deepcopy(raw))
        return len(kinds)

    def make_missing(self, raw):
        self.target.delete_item(TableName=self.table, Key={"id": raw["id"], "n": raw["n"]})
        self.ledger[self.key_of(raw)] = ("missing", None)

    def make_extra(self, raw):
        raw["id"] = {"S": raw["id"]["S"] + "-extra"}
        self.put(raw, "", "extra")

    def make_changed(self, raw):
        raw["count"] = {"N": str(int(raw["count"]["N"]) + 1)}
        self.put(raw, "count")

    def make_attribute_dropped(self, raw):
        del raw["text"]
        self.put(raw, "text")

    def make_attribute_added(self, raw):
        raw["new"] = {"S": "x"}
        self.put(raw, "new")

    def make_truncated(self, raw):
        raw["text"] = {"S": raw["text"]["S"][:-1]}
        self.put(raw, "text")

    def make_text_of_number(self, raw):
        raw["count"] = {"S": raw["count"]["N"]}
        self.put(raw, "count")

    def make_null_for_absent(self, raw):
        raw["was_absent"] = {"NULL": True}
        self.put(raw, "was_absent")

    def make_absent_for_null(self, raw):
        del raw["nothing"]
        self.put(raw, "nothing")

    def make_empty_string_too_many(self, raw):
        raw["another"] = {"S": ""}
        self.put(raw, "another")

    def make_one_bit(self, raw):
        data = bytearray(base64.b64decode(raw["bytes"]["B"]))
        data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
        raw["bytes"] = {"B": base64.b64encode(bytes(data)).decode()}
        self.put(raw, "bytes")

    def make_nested_element(self, raw):
        raw["list"]["L"][2]["L"][1] = {"N": "-1"}
        self.put(raw, "list[2][1]")

    def make_nested_name(self, raw):
        raw["map"]["M"]["inner"]["M"]["deep"] = {"S": "y"}
        self.put(raw, "map.inner.deep")

    def make_set_member(self, raw):
        raw["tags"]["SS"][0] = "other"
        self.put(raw, "tags")

    def make_list_for_set(self, raw):
        raw["tags"] = {"L": [{"S": member} for member in raw["tags"]["SS"]]}
        self.put(raw, "tags")

    # What is no difference.

    def make_set_order(self, raw):
        raw["tags"]["SS"].reverse()
        raw["scores"]["NS"].reverse()
        self.put(raw, None)

    def make_number_rendering(self, raw):
        raw["price"] = {"N": raw["price"]["N"] + "00"}
        raw["map"]["M"]["flat"] = {"N": "5.0"}
        self.put(raw, None)


def verify_args(messina, sim, *more, table="live"):
    return ["verify", *messina.copy_args(sim, table, *more)[1:]]


def repair_args(messina, sim, *more, table="live"):
    return ["repair", *messina.copy_args(sim, table, *more)[1:]]


def verified(out):
    """The summary's event."""
    events = [json.loads(line) for line in out.split("\n") if line]
    return [event for event in events if event["event"] == "verify_summary"][-1]


def found(messina):
    """What `diff` lists: key -> (verdict, first path)."""
    out, _ = messina.run("diff", "--json")
    listed = {}
    for line in filter(None, out.split("\n")):
        event = json.loads(line)
        if event["event"] != "difference":
            continue
        places = event["places"] or []
        path = places[0]["path"] if places else ("" if event["verdict"] == "extra" else None)
        assert len(places) <= 1, event
        listed[json.dumps(event["key"], sort_keys=True)] = (event["verdict"], path)
    return listed


def differences(messina):
    """Those, without what was written to each time that it was looked at."""
    return {key: what for key, what in found(messina).items() if what[0] in ("missing", "extra", "differs")}


@pytest.fixture
def copied(sims, messina):
    """Two equal tables of `count` items."""

    def make(count, *flags):
        sim = sims("--dynamodb", 0, "--alternator", 0, "--seed", 5, *flags)
        make_table(sim.dynamodb, "live", KEY)
        items = [item(number) for number in range(count)]
        load(sim.dynamodb, "live", items)
        messina.run(*messina.copy_args(sim, "live"))
        return sim, items

    return make


@pytest.mark.parametrize("how", [(), ("--exhaustive",)])
def test_what_is_damaged_is_found_and_nothing_else(copied, messina, how):
    sim, items = copied(900)
    told = verified(messina.run(*verify_args(messina, sim, "--json", *how))[0])
    assert told["verified"] and told["compared_items"] == 900

    damager = Damager(sim.alternator, "live", 11)
    kinds = damager.damage(items[100:151])
    assert kinds == 17 and len(damager.ledger) == 45
    told = verified(messina.run(*verify_args(messina, sim, "--json", *how), expect=1)[0])
    assert not told["verified"]
    assert found(messina) == damager.ledger

    told = verified(messina.run(*repair_args(messina, sim, "--json", "--delete-extra", *TIMES))[0])
    assert told["verified"], told
    assert found(messina) == {}
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, "live") == 900


def test_what_only_the_target_has_is_deleted_only_by_leave_and_never_too_much(copied, messina):
    sim, items = copied(200)
    damager = Damager(sim.alternator, "live", 12)
    for raw in items[:10]:
        damager.make_extra(copy.deepcopy(raw))
    damager.make_changed(copy.deepcopy(items[50]))
    messina.run(*verify_args(messina, sim), expect=1)
    out, _ = messina.run(*repair_args(messina, sim, "--dry-run"))
    assert "1 key would be read from the source again" in out and "10 keys only on the target would stay" in out
    assert found(messina) == damager.ledger, "nothing was done"

    messina.run(*repair_args(messina, sim, *TIMES), expect=1)
    assert set(found(messina).values()) == {("extra", "")}
    _, err = messina.run(*repair_args(messina, sim, "--delete-extra", *TIMES), expect=4)
    assert "10 keys are only on the target, and repair deletes 2 at most (1 % of 210)" in err
    messina.run(*repair_args(messina, sim, "--delete-extra", "--max-deletes", 10, *TIMES))
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")


def test_a_part_is_compared_and_said_to_be_one(copied, messina, tmp_path):
    sim, items = copied(400)
    damager = Damager(sim.alternator, "live", 13)
    damager.make_changed(copy.deepcopy(items[7]))
    damager.make_missing(copy.deepcopy(items[8]))
    _, err = messina.run(*verify_args(messina, sim), expect=1)
    assert "this reads about 400 items" in err and "RCU of the source; about 400 items are looked up on the target" in err
    keys = tmp_path / "keys.jsonl"
    keys.write_text("".join(json.dumps({"id": raw["id"], "n": raw["n"]}) + "\n" for raw in items[7:9] + items[20:22]))
    told = verified(messina.run(*verify_args(messina, sim, "--json", "--keys", keys), expect=1)[0])
    assert found(messina) == damager.ledger and "only keys that were named were compared" in told["not_verified"]

    shares = [verified(messina.run(*verify_args(messina, sim, "--json", "--sample", "30%", "--seed", seed), expect=None)[0])
              for seed in (1, 1, 2)]
    assert shares[0]["compared_items"] == shares[1]["compared_items"] and 60 < shares[0]["compared_items"] < 200
    compared = sum(verified(messina.run(*verify_args(messina, sim, "--json", "--segment", f"{index}/3"), expect=None)[0])["compared_items"]
                   for index in range(3))
    assert compared == 400


def test_a_killed_verification_goes_on_where_it_was(copied, messina, started):  # noqa: F811
    sim, items = copied(3000)
    damager = Damager(sim.alternator, "live", 14)
    damager.damage(items[500:534])
    kills = 0
    for share in (0.2, 0.5):
        process = started(*verify_args(messina, sim, "--read-rcu", 150, "--json"))
        eventually(lambda: (progress_of_verify(messina) or {}).get("items", 0) > share * 3000, "it compares")
        kill(process)
        kills += 1
    told = verified(messina.run(*verify_args(messina, sim, "--json"), expect=1)[0])
    assert told["compared_items"] == 3000, "each page counts once"
    assert found(messina) == damager.ledger and kills == 2


def progress_of_verify(messina):
    out, _ = messina.start("status", "--json").communicate(timeout=60)
    events = [json.loads(line) for line in out.split("\n") if line]
    rows = [event for event in events if event["event"] == "migration"]
    return ((rows[-1]["progress"] if rows else None) or {}).get("verify")


def test_renamed_and_dropped_attributes_are_compared_as_they_were_meant(sims, messina):
    sim = sims("--dynamodb", 0, "--alternator", 0, "--seed", 6)
    make_table(sim.dynamodb, "live", KEY)
    load(sim.dynamodb, "live", [item(number) for number in range(120)])
    plan = ["--rename", "id=order_id", "--rename", "text=note", "--drop", "bytes"]
    messina.run(*messina.copy_args(sim, "live", *plan))
    assert verified(messina.run(*verify_args(messina, sim, "--json", *plan))[0])["verified"]
    sim.alternator.update_item(TableName="live", Key={"order_id": {"S": "item-3"}, "n": {"N": "3"}},
                               UpdateExpression="SET note = :x", ExpressionAttributeValues={":x": {"S": "other"}})
    messina.run(*verify_args(messina, sim, "--json", *plan), expect=1)
    assert found(messina) == {json.dumps({"id": {"S": "item-3"}, "n": {"N": "3"}}, sort_keys=True): ("differs", "note")}
    messina.run(*repair_args(messina, sim, *plan, *TIMES))
    _, err = messina.run(*verify_args(messina, sim), expect=2)
    assert "has the key order_id (S), n (N), and what the source's items become has id (S), n (N)" in err


def test_one_item_is_shown_side_by_side_and_keys_can_be_redacted(copied, messina):
    sim, items = copied(50)
    Damager(sim.alternator, "live", 15).make_nested_element(copy.deepcopy(items[4]))
    messina.run(*verify_args(messina, sim), expect=1)
    out, _ = messina.run("diff")
    assert "1 item: `list[][]` smaller on target" in out
    out, _ = messina.run("diff", "--key", json.dumps({"id": items[4]["id"], "n": items[4]["n"]}, separators=(",", ":")))
    assert "~ list[2][1]" in out and '{"N":"-1"}' in out
    for args in (["diff", "--redact-keys"], ["diff", "--redact-keys", "--json"]):
        out, _ = messina.run(*args)
        assert "item-4" not in out and '"-1"' not in out and "list[2]" in out + "list[2]"
    messina.run("diff", "--key", '{"id":{"S":"none"},"n":{"N":"1"}}', expect=2)


def test_a_report_can_be_signed(copied, messina, tmp_path):
    sim, items = copied(60)
    Damager(sim.alternator, "live", 16).make_missing(copy.deepcopy(items[4]))
    for name in ("report.html", "report.md"):
        messina.run(*verify_args(messina, sim, "--report", tmp_path / name), expect=1)
        page = (tmp_path / name).read_text()
        assert "only on source" in page and "item-4" not in page
    messina.run(*verify_args(messina, sim, "--report", tmp_path / "report.pdf"), expect=2)


def test_verify_beside_a_live_migration_reports_the_damage_and_nothing_else(written, messina, started):  # noqa: F811
    sim, keys = written(41, 1500)
    writer = Writer(sim, "live", 41, keys[:700])
    writer.start()
    migration = started(*migrate_args(messina, sim, "live", *TIMES))
    eventually(lambda: live_status(messina).get("in_step"), "in step")
    told = verified(messina.run(*verify_args(messina, sim, "--json"), expect=None)[0])
    assert told["live"] and told["differences"] == 0, told
    assert set(told["not_verified"]) <= {"a key could not be judged", *(f"{n} keys could not be judged" for n in range(2, 8))}
    assert writer.changes > 0 and told["touched_judged"] > 0

    ledger = {}
    for key in keys[800:820]:
        sim.alternator.delete_item(TableName="live", Key=key)
        ledger[json.dumps(key, sort_keys=True)] = ("missing", None)
    for key in keys[820:840]:
        sim.alternator.update_item(TableName="live", Key=key, UpdateExpression="SET damaged = :x",
                                   ExpressionAttributeValues={":x": {"S": "x"}})
        ledger[json.dumps(key, sort_keys=True)] = ("differs", "damaged")
    messina.run(*verify_args(messina, sim, "--json"), expect=1)
    assert differences(messina) == ledger
    messina.run(*repair_args(messina, sim, "--json"), expect=None)
    assert differences(messina) == {}
    writer.stop()
    messina.run(*migrate_args(messina, sim, "live", *TIMES, "--until", "in-step"))
    stop(migration)
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")


def test_a_cancelled_verification_leaves_the_migration_at_work(written, messina, started):  # noqa: F811
    sim, keys = written(45, 3000)
    migration = started(*migrate_args(messina, sim, "live", *TIMES))
    eventually(lambda: live_status(messina).get("in_step"), "in step")
    asked = started(*verify_args(messina, sim, "--read-rcu", 50, "--json"))
    eventually(lambda: (progress_of_verify(messina) or {}).get("items", 0) > 300, "it compares")
    _, err = messina.run("verify", "--cancel", *verify_args(messina, sim)[1:])
    assert "verifies no more; asked again, it begins anew" in err
    asked.communicate(timeout=60)
    assert asked.returncode == 3
    began = progress_of_verify(messina)["began"]
    sim.dynamodb.update_item(TableName="live", Key=keys[5], UpdateExpression="SET seen = :x",
                             ExpressionAttributeValues={":x": {"S": "x"}})
    told = verified(messina.run(*verify_args(messina, sim, "--json"))[0])
    assert told["verified"] and told["compared_items"] == len(keys) and told["began"] > began, told
    stop(migration)


def test_migrate_verifies_and_keeps_its_claim_up_to_date(written, messina, started):  # noqa: F811
    sim, keys = written(42, 600)
    writer = Writer(sim, "live", 42, keys[:300])
    writer.start()
    migration = started(*migrate_args(messina, sim, "live", *TIMES, "--verify"))
    eventually(lambda: (progress_of_verify(messina) or {}).get("staying"), "verified, and watching")
    writer.stop()
    eventually(lambda: progress_of_verify(messina)["not_verified"] == [], "verified")
    # What is damaged, and then written to, is looked at again.
    sim.dynamodb.update_item(TableName="live", Key=keys[5], UpdateExpression="SET seen = :x",
                             ExpressionAttributeValues={":x": {"S": "x"}})
    eventually(lambda: "seen" in sim.alternator.get_item(TableName="live", Key=keys[5], ConsistentRead=True).get("Item", {}), "applied")
    eventually(lambda: progress_of_verify(messina)["not_verified"] == [], "verified")
    messina.run(*migrate_args(messina, sim, "live", *TIMES, "--until", "in-step"))
    stop(migration)
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")


@pytest.mark.parametrize("run", range(QUIET_RUNS))
def test_without_damage_nothing_is_reported(written, messina, started, run):  # noqa: F811
    """Lag and faults on both sides, keys that are written to all the time: never a false difference."""
    seed = FIRST_SEED + run
    sim, keys = written(seed % 100_000, 400, "--nodes", 2, "--skew-ms", "0,60")
    for rule in [*READ_FAULTS, *LOOKUP_FAULTS, *STREAM_FAULTS]:
        sim.control("dynamodb", "faults", rule)
    for rule in [{"kind": "error_before", "operation": "BatchGetItem", "probability": 0.1},
                 {"kind": "cut_before", "operation": "Scan", "probability": 0.05},
                 {"kind": "latency", "operation": "BatchWriteItem", "ms": 30, "probability": 0.3}]:
        sim.control("alternator", "faults", rule)
    writer = Writer(sim, "live", seed, keys)
    writer.start()
    migration = started(*migrate_args(messina, sim, "live", *TIMES))
    eventually(lambda: live_status(messina).get("in_step"), f"in step (seed {seed})")
    out, _ = messina.run(*verify_args(messina, sim, "--json"), expect=None)
    told = verified(out)
    assert (told["missing"], told["extra"], told["differs"]) == (0, 0, 0), f"seed {seed}: {out}"
    assert told["touched_judged"] > 0
    writer.stop()
    stop(migration)
