"""Compares two tables as values, by boto3. Shares no code with messina.

Numbers compare by value, sets without order, binaries by bytes: that is what boto3's deserialiser gives.
"""
from decimal import Decimal

from boto3.dynamodb.types import Binary, TypeDeserializer


class _Exact(TypeDeserializer):
    """boto3's own stops at 1E100, which DynamoDB renders with 101 digits: it counts the zeros as too much precision."""

    def _deserialize_n(self, value):
        return Decimal(value)


_deserialize = _Exact().deserialize


def read_all(client, table):
    """key tuple -> item, both as Python values. Fails on a key that a scan returns twice."""
    key_names = [k["AttributeName"] for k in client.describe_table(TableName=table)["Table"]["KeySchema"]]
    items, start = {}, {}
    while True:
        page = client.scan(TableName=table, ConsistentRead=True, **start)
        for raw in page["Items"]:
            item = {name: _deserialize(value) for name, value in raw.items()}
            key = tuple(_plain(item[name]) for name in key_names)
            assert key not in items, f"key {key!r} twice in {table}"
            items[key] = item
        if "LastEvaluatedKey" not in page:
            return items
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _plain(value):
    return bytes(value) if isinstance(value, Binary) else value


def differences(source, target, limit=10):
    """Up to `limit` sentences about what differs between two results of read_all."""
    found = []
    for key in source.keys() | target.keys():
        if key not in target:
            found.append(f"{key!r} is missing on the target")
        elif key not in source:
            found.append(f"{key!r} is on the target only")
        elif source[key] != target[key]:
            names = [n for n in source[key].keys() | target[key].keys() if source[key].get(n) != target[key].get(n)]
            found.append(f"{key!r} differs in {names}")
        if len(found) >= limit:
            break
    return found


def assert_equal(source_client, target_client, source_table, target_table=None):
    source = read_all(source_client, source_table)
    target = read_all(target_client, target_table or source_table)
    assert differences(source, target) == []
    return len(source)
