"""`messina selftest`: all holds on messina-sim, a fault shows, and no table stays behind."""
import json
import subprocess


def selftest(messina, *args):
    return subprocess.run([messina.binary, "selftest", *args], env=messina.env, capture_output=True, text=True, timeout=300)


def states(run):
    events = [json.loads(line) for line in run.stdout.splitlines()]
    return {event["name"]: event["state"] for event in events if event["event"] == "selftest"}


def tables(client):
    return client.list_tables()["TableNames"]


def test_alternator_holds(sims, messina):
    sim = sims()
    run = selftest(messina, f"alternator://{sim.alternator_addresses[0]}", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    assert set(states(run).values()) == {"passed", "skipped"}
    assert states(run)["the table is deleted again"] == "passed"
    assert tables(sim.alternator) == []


def test_dynamodb_holds(sims, messina):
    sim = sims()
    run = selftest(messina, "dynamodb://us-east-1", "--target-endpoint", f"http://{sim.dynamodb_address}", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    assert set(states(run).values()) == {"passed"}
    assert tables(sim.dynamodb) == []


def test_what_does_not_hold_is_named_and_the_table_is_gone(sims, messina):
    sim = sims()
    sim.control("dynamodb", "faults", {"kind": "access_denied", "operation": "ListTagsOfResource"})
    run = selftest(messina, "dynamodb://us-east-1", "--target-endpoint", f"http://{sim.dynamodb_address}")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "FAIL  its tags come back: there is no tag" in run.stdout
    assert "ok    the table is deleted again" in run.stdout
    assert tables(sim.dynamodb) == []
