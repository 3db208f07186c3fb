"""docs/formats/plan.schema.json says of plans what the program says of them."""
import json
import subprocess

import jsonschema
import pytest
import yaml

from test_docs import DOCUMENTS, PLAN, ROOT

SCHEMA = json.loads((ROOT / "docs" / "formats" / "plan.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
EXAMPLES = [(document.name, plan) for document in DOCUMENTS for plan in PLAN.findall(document.read_text(encoding="utf-8"))]
SIDES = """
source: {type: dynamodb, table: orders, region: us-east-1, endpoint: {host: "http://127.0.0.1", port: 1}, %s}
target: {type: alternator, table: orders, endpoint: {host: "http://127.0.0.1", port: 1}, %s}
%s
"""
# What both must refuse, as (in the source, in the target, at the top).
WRONG = [
    ("", "", "segmnets: 4"), ("", "", "segments: many"), ("", "", "restart: true"), ("", "", "schema: make"),
    ("", "", "drop: x"), ("", "", "renames: [{from: a}]"), ("", "", "renames: [{from: a, to: b, too: c}]"),
    ("", "", "into-existing: 3"), ("", "", "tables: [{target: x}]"), ("", "", "order: biggest"),
    ("", "", "skipTokenRanges: [[1, 2]]"), ("", "", "validation: {oops: 1}"), ("", "", "savepoints: {oops: 1}"),
    ("scanSegment: 4", "", ""), ("readThroughput: 0", "", ""), ("streamChanges: false", "", ""),
    ("credentials: {acessKey: a}", "", ""), ("credentials: {assumeRole: {sessionName: a}}", "", ""),
    ("endpoints: x", "", ""), ("", "scanSegments: 4", ""),
    ("", "skipInitialSnapshotTransfer: yes", ""), ("", "gzip: 2", ""), ("", "", "enable-stream: ALL"), ("", "", "heal: true"), ("", "alternator: {oops: 1}", ""),
]
RIGHT = [
    ("", "", ""), ("scanSegments: 4, readThroughput: 5.5, throughputReadPercent: 0.5", "", "skipSegments: [1, 2]"),
    ("maxMapTasks: 4, removeConsumedCapacity: true", "streamChanges: false, billingMode: PAY_PER_REQUEST", "skipTokenRanges: []"),
    ("credentials: {accessKey: a, secretKey: '${HOME}'}", "gzip: off, datacenter: dc1, rack: r1", "memory: 64MiB\ndrop: [x]"),
    ("scanSegments: '${COUNT}'", "maxConnections: '${COUNT}'", "into-existing: '${FLAG}'"),
    ("", "", "enable-stream: true\nskip-expired: true\nspool-max: 20GB"), ("", "", "enable-stream: KEYS_ONLY\nallowed-lag: 20s"),
    ("", "alternator: {rack: null}", "renames: null\nvalidation: null\nsavepoints: {path: s, intervalSeconds: 3}"),
]


def program_says(binaries, folder, plan):
    """None, or why the plan is refused. What is taken fails later, since nobody listens."""
    (folder / "plan.yaml").write_text(plan)
    done = subprocess.run([binaries / "messina", "schema", "--plan", "plan.yaml"], cwd=folder, text=True, timeout=60,
                          env={"HOME": str(folder), "COUNT": "4", "FLAG": "true"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return None if "cannot connect to 127.0.0.1:1 " in done.stderr else done.stderr


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name,plan", EXAMPLES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(EXAMPLES)])
def test_the_examples_are_valid(name, plan):
    VALIDATOR.validate(yaml.safe_load(plan))


@pytest.mark.parametrize("parts", RIGHT, ids=range(len(RIGHT)))
def test_both_take(binaries, tmp_path, parts):
    plan = SIDES % parts
    assert program_says(binaries, tmp_path, plan) is None
    VALIDATOR.validate(yaml.safe_load(plan))


@pytest.mark.parametrize("parts", WRONG, ids=["; ".join(filter(None, parts)) for parts in WRONG])
def test_both_refuse(binaries, tmp_path, parts):
    plan = SIDES % parts
    assert program_says(binaries, tmp_path, plan) is not None
    assert not VALIDATOR.is_valid(yaml.safe_load(plan))
