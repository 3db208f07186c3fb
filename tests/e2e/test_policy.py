"""The policy that `messina policy` prints is enough, and it is least: without any one of its actions something fails or is reported.

The simulator enforces it (messina-sim's /_sim/policy), so it is held to what AWS's reference says that each call needs.
"""
import json

import pytest

from conftest import load, make_table

KEY = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture
def sides(sims, messina):
    """A simulator whose source table has all that the policy speaks of."""
    sim = sims()
    messina.env["AWS_ENDPOINT_URL_CLOUDWATCH"] = f"http://{sim.dynamodb_address}"
    make_table(sim.dynamodb, "orders", [("id", "S", "HASH")],
               StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
               SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY},
               Tags=[{"Key": "team", "Value": "sales"}])
    load(sim.dynamodb, "orders", ({"id": {"S": f"o{i}"}} for i in range(30)))
    return sim


def addresses(sim, target):
    here = f"http://{sim.dynamodb_address}"
    if target == "alternator":
        return ["dynamodb://us-east-1/orders", f"alternator://{sim.alternator_addresses[0]}/moved", "--source-endpoint", here]
    return ["dynamodb://us-east-1/orders", "dynamodb://us-east-1/moved", "--source-endpoint", here, "--target-endpoint", here]


def drop_target(sim, target):
    client = sim.alternator if target == "alternator" else sim.dynamodb
    if "moved" in client.list_tables()["TableNames"]:
        client.delete_table(TableName="moved")


def without(policy, action):
    statements = []
    for statement in policy["Statement"]:
        actions = [a for a in statement["Action"] if a != action]
        if actions:
            statements.append({**statement, "Action": actions})
    return {**policy, "Statement": statements}


def complaints(messina, sides, *flags):
    """The notes and stops of a check."""
    process = messina.start("check", *sides, "--json", *flags)
    out, err = process.communicate(timeout=120)
    assert process.returncode in (0, 2), err
    findings = [json.loads(line) for line in out.splitlines()]
    assert findings[-1]["event"] in ("check", "check_tables")
    return [f for f in findings if f["event"] == "finding" and f["level"] != "ok"]


@pytest.mark.parametrize("target", ["alternator", "dynamodb"])
def test_the_policy_is_enough_and_least(sides, messina, target):
    sim, where = sides, addresses(sides, target)
    policy = json.loads(messina.run("policy", *where, "--kms-key", KEY)[0])
    assert "000000000000" in json.dumps(policy)  # as STS said
    actions = sorted({action for statement in policy["Statement"] for action in statement["Action"]})
    assert {"dynamodb:Scan", "kms:Decrypt", "cloudwatch:GetMetricData"} <= set(actions)

    # Enough: with it all there is works, and nothing is complained of.
    sim.control("dynamodb", "policy", policy)
    assert not [c for c in complaints(messina, where) if "not authorized" in c["text"]]
    messina.run("check", *where)
    messina.run("schema", *where)
    assert not [c for c in complaints(messina, where) if "not authorized" in c["text"]]
    messina.run("copy", *where, "--quiet")
    messina.run("check", *where)  # the target holds items, of the copy that it knows
    sim.control("dynamodb", "policy", {})

    # Least: without any one of them, check names it; first where the table is to be made, then where it is there.
    for action in actions:
        drop_target(sim, target)
        sim.control("dynamodb", "policy", without(policy, action))
        named = complaints(messina, where, "--restart")
        sim.control("dynamodb", "policy", {})
        messina.run("schema", *where)
        sim.control("dynamodb", "policy", without(policy, action))
        named += complaints(messina, where, "--restart")
        sim.control("dynamodb", "policy", {})
        assert any(f"perform: {action} on" in c["text"] and c["fix"] for c in named), (action, named)


def test_a_copy_without_a_permission_says_which(sides, messina):
    where = addresses(sides, "alternator")
    policy = json.loads(messina.run("policy", *where, "--kms-key", KEY, "--for", "copy")[0])
    sides.control("dynamodb", "policy", policy)
    _, err = messina.run("copy", *where, "--quiet")
    assert "GetMetricData" not in err
    sides.control("dynamodb", "policy", without(policy, "cloudwatch:GetMetricData"))
    _, err = messina.run("copy", *where, "--restart", "--into-existing", "--quiet")
    assert "GetMetricData" in err and "--read-rcu" in err  # it goes on, more slowly
    sides.control("dynamodb", "policy", without(policy, "kms:Decrypt"))
    _, err = messina.run("copy", *where, "--restart", "--into-existing", "--quiet", expect=2)
    assert "kms:Decrypt" in err


def documents(text):
    """The policies that were printed, one after the other."""
    found, at = [], 0
    while at < len(text):
        document, at = json.JSONDecoder().raw_decode(text, at)
        found.append(document)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def attached(policies):
    """What IAM makes of several policies of one role."""
    for policy in policies:
        assert len("".join(json.dumps(policy).split())) <= 6144
    return {"Version": "2012-10-17", "Statement": [statement for policy in policies for statement in policy["Statement"]]}


def many(sim, *flags):
    return ["dynamodb://us-east-1", f"alternator://{sim.alternator_addresses[0]}", "--source-endpoint",
            f"http://{sim.dynamodb_address}", *flags]


def test_the_policy_of_many_tables_is_enough_and_for_them_alone(sides, messina):
    sim = sides
    for name in ("orders_2", "people"):
        make_table(sim.dynamodb, name, [("id", "S", "HASH")])
        load(sim.dynamodb, name, ({"id": {"S": f"o{i}"}} for i in range(10)))
    where = many(sim, "--tables", "orders*")
    (policy,) = documents(messina.run("policy", *where, "--kms-key", KEY)[0])
    sim.control("dynamodb", "policy", policy)
    out, _ = messina.run("check", *where)
    assert "not authorized" not in out and "2 tables" in out
    messina.run("schema", *where)
    _, err = messina.run("copy", *where, "--quiet")
    assert "not authorized" not in err
    out, _ = messina.run("check", *many(sim, "--tables", "people"), expect=2)
    assert "perform: dynamodb:DescribeTable on" in out
    sim.control("dynamodb", "policy", without(policy, "dynamodb:ListTables"))
    _, err = messina.run("check", *where, expect=2)
    assert "dynamodb:ListTables" in err
    messina.run("check", *many(sim, "--tables", "orders,orders_2"))  # named in full, they need not be listed
    # What is the account's is asked for and said once.
    sim.control("dynamodb", "policy", without(policy, "cloudwatch:GetMetricData"))
    named = complaints(messina, where)
    assert [f["table"] for f in named if "cloudwatch:GetMetricData" in f["text"]] == [None]


def test_a_policy_that_is_too_long_is_split(sides, messina):
    names = [f"orders_of_a_shop_with_a_long_name_{i:03}" for i in range(60)]
    for name in names:
        make_table(sides.dynamodb, name, [("id", "S", "HASH")])
    where = many(sides, "--tables", "orders_of*")
    out, err = messina.run("policy", *where)
    policies = documents(out)
    assert len(policies) > 1 and f"{len(policies)} policies" in err
    sides.control("dynamodb", "policy", attached(policies))
    findings, _ = messina.run("check", *where)
    assert "not authorized" not in findings and "60 tables" in findings
    messina.run("copy", *where, "--quiet")


def test_check_changes_nothing(sides, messina):
    sim, where = sides, addresses(sides, "dynamodb")
    before = sim.control("dynamodb", "stats")["tables"]
    messina.run("check", *where)
    messina.run("schema", *where)
    with_target = sim.control("dynamodb", "stats")["tables"]
    messina.run("check", *where)
    assert sim.control("dynamodb", "stats")["tables"] == with_target
    del with_target["moved"]
    assert with_target == before
    assert not messina.state.exists()


@pytest.mark.parametrize("target", ["alternator", "dynamodb"])
def test_the_policy_of_a_live_migration_is_enough(sides, messina, target):
    """A stream of keys alone makes it read items again; --heal makes it look for keys that only the target has."""
    sim, where = sides, addresses(sides, target)
    sim.dynamodb.update_table(TableName="orders", StreamSpecification={"StreamEnabled": False})
    policy = json.loads(messina.run("policy", *where, "--kms-key", KEY, "--for", "schema,copy,capture")[0])
    sim.control("dynamodb", "policy", policy)
    migrate = ["migrate", *where, "--enable-stream", "KEYS_ONLY", "--until", "in-step"]
    migrate += ["--dead-after", "1500ms", "--clock-error", "100ms"]
    messina.run(*migrate)
    messina.run(*migrate, "--heal")
