"""messina-sim's streams as boto3 sees them, with a reader that follows the lineage of the shards."""
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import make_table

DEADLINE_S = 60


def streams_client(address):
    return boto3.client(
        "dynamodbstreams", endpoint_url=f"http://{address}", region_name="us-east-1", aws_access_key_id="test",
        aws_secret_access_key="test", config=Config(retries={"total_max_attempts": 10}))


def shards_of(streams, arn):
    """All shards, page by page."""
    shards, more = [], {}
    while True:
        page = streams.describe_stream(StreamArn=arn, **more)["StreamDescription"]
        shards += page["Shards"]
        if "LastEvaluatedShardId" not in page:
            return shards
        more = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}


class Reader:
    """Applies a stream's images to a table of its own: parents before children, each shard from its beginning."""

    def __init__(self, streams, arn):
        self.streams, self.arn = streams, arn
        self.iterators, self.drained = {}, set()
        self.items, self.events = {}, []

    def poll(self):
        """Reads what there is now. Returns whether there was anything."""
        shards = shards_of(self.streams, self.arn)
        listed = {shard["ShardId"] for shard in shards}
        before = len(self.events)
        for shard in shards:
            name, parent = shard["ShardId"], shard.get("ParentShardId")
            if name in self.drained or (parent in listed and parent not in self.drained):
                continue
            if name not in self.iterators:
                self.iterators[name] = self.streams.get_shard_iterator(
                    StreamArn=self.arn, ShardId=name, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            while True:
                page = self.streams.get_records(ShardIterator=self.iterators[name], Limit=50)
                for record in page["Records"]:
                    self.apply(record)
                self.iterators[name] = page.get("NextShardIterator")
                if self.iterators[name] is None:
                    self.drained.add(name)
                if self.iterators[name] is None or not page["Records"]:
                    break
        return len(self.events) != before

    def begin_again(self):
        """Reads every shard from its beginning, as one may whose iterators expired: images are applied once more."""
        self.iterators, self.drained = {}, set()

    def apply(self, record):
        change = record["dynamodb"]
        key = change["Keys"]["p"]["S"]
        self.events.append(record)
        if "NewImage" in change:
            self.items[key] = change["NewImage"]
        else:
            self.items.pop(key, None)


def scan(dynamo, table):
    pages = dynamo.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {item["p"]["S"]: item for page in pages for item in page["Items"]}


def enable(dynamo, table, view):
    dynamo.update_table(TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": view})
    return dynamo.describe_table(TableName=table)["Table"]["LatestStreamArn"]


def write(dynamo, round_, keys=60):
    """Puts, updates and deletes, by single calls and by batches."""
    for i in range(keys):
        dynamo.put_item(TableName="orders", Item={"p": {"S": f"k{i}"}, "round": {"N": str(round_)}})
    for i in range(0, keys, 3):
        dynamo.update_item(TableName="orders", Key={"p": {"S": f"k{i}"}}, UpdateExpression="SET touched = :t",
                           ExpressionAttributeValues={":t": {"BOOL": True}})
    dynamo.batch_write_item(RequestItems={"orders": [
        {"DeleteRequest": {"Key": {"p": {"S": f"k{i}"}}}} for i in range(1, keys, 7)]})


def test_a_reader_arrives_at_the_table_over_splits_and_rolls(sims):
    sim = sims("--dynamodb", 0, "--alternator", 0, "--no-stream-limits", "--stream-shards", 3)
    make_table(sim.dynamodb, "orders", [("p", "S", "HASH")])
    arn = enable(sim.dynamodb, "orders", "NEW_IMAGE")
    reader = Reader(streams_client(sim.dynamodb_address), arn)
    for round_, change in enumerate([None, {"split": "all"}, {"roll": "all"}, {"split": "all"}]):
        if change:
            sim.control("dynamodb", "tables/orders/stream", change)
        write(sim.dynamodb, round_)
        if round_ % 2:  # also with several generations unread
            reader.poll()
    while reader.poll():
        pass
    assert reader.items == scan(sim.dynamodb, "orders")
    shards = shards_of(reader.streams, arn)
    assert len(shards) == 3 + 6 + 6 + 12
    assert len(reader.drained) == 3 + 6 + 6
    for record in reader.events:
        assert 21 <= len(record["dynamodb"]["SequenceNumber"]) <= 40
        assert len(record["eventID"]) == 32


def test_shards_split_and_items_expire_by_themselves(sims):
    sim = sims("--dynamodb", 0, "--alternator", 0, "--stream-shards", 1, "--stream-split-seconds", "0.2",
               "--stream-max-shards", 8, "--ttl-sweep-seconds", "0.1")
    make_table(sim.dynamodb, "orders", [("p", "S", "HASH")])
    sim.dynamodb.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    arn = enable(sim.dynamodb, "orders", "NEW_AND_OLD_IMAGES")
    sim.dynamodb.put_item(TableName="orders", Item={"p": {"S": "a"}, "ttl": {"N": str(int(time.time()) - 5)}})
    reader = Reader(streams_client(sim.dynamodb_address), arn)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and (len(reader.events) < 2 or len(reader.drained) < 3):
        reader.poll()
    assert [event["eventName"] for event in reader.events] == ["INSERT", "REMOVE"]
    assert reader.events[1]["userIdentity"] == {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    assert reader.items == {}


def test_errors_have_boto3s_types(sims):
    sim = sims("--dynamodb", 0, "--alternator", 0, "--stream-shards", 1)
    make_table(sim.dynamodb, "orders", [("p", "S", "HASH")])
    arn = enable(sim.dynamodb, "orders", "KEYS_ONLY")
    client = boto3.client(
        "dynamodbstreams", endpoint_url=f"http://{sim.dynamodb_address}", region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test", config=Config(retries={"total_max_attempts": 1}))
    sim.dynamodb.put_item(TableName="orders", Item={"p": {"S": "a"}})
    shard = shards_of(client, arn)[0]["ShardId"]

    def iterator(**more):
        return client.get_shard_iterator(
            StreamArn=arn, ShardId=shard, **{"ShardIteratorType": "TRIM_HORIZON", **more})["ShardIterator"]

    first = iterator()
    number = client.get_records(ShardIterator=first)["Records"][0]["dynamodb"]["SequenceNumber"]
    sim.control("dynamodb", "tables/orders/stream", {"trim": "all"})
    with pytest.raises(client.exceptions.TrimmedDataAccessException):
        client.get_records(ShardIterator=first)
    with pytest.raises(client.exceptions.TrimmedDataAccessException):
        iterator(ShardIteratorType="AFTER_SEQUENCE_NUMBER", SequenceNumber=number)
    second = iterator()
    sim.control("dynamodb", "tables/orders/stream", {"expire_iterators": "all"})
    with pytest.raises(client.exceptions.ExpiredIteratorException):
        client.get_records(ShardIterator=second)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_stream(StreamArn=arn + "0")
    third = iterator()
    with pytest.raises(client.exceptions.LimitExceededException):
        for _ in range(100):
            client.get_records(ShardIterator=third)
    with pytest.raises(ClientError, match="Table already has an enabled stream"):
        enable(sim.dynamodb, "orders", "KEYS_ONLY")


def test_a_reader_that_tries_again_survives_the_faults(sims):
    kinds = {"throttle_stream_limit": 0.1, "throttle_stream_rate": 0.1, "throttle_stream_capacity": 0.1,
             "expire_iterator": 0.05, "empty_page": 0.1}
    faults = [f"--fault=kind={kind},probability={probability},on=dynamodb" for kind, probability in kinds.items()]
    sim = sims("--dynamodb", 0, "--alternator", 0, "--no-stream-limits", "--stream-shards", 3, "--seed", 7, *faults)
    make_table(sim.dynamodb, "orders", [("p", "S", "HASH")])
    arn = enable(sim.dynamodb, "orders", "NEW_AND_OLD_IMAGES")
    client = boto3.client(
        "dynamodbstreams", endpoint_url=f"http://{sim.dynamodb_address}", region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test", config=Config(retries={"total_max_attempts": 1}))
    reader = Reader(client, arn)
    refusals = set()
    fired = {}
    for round_ in range(100):
        write(sim.dynamodb, round_, keys=10)
        if round_ % 5 == 0:
            sim.control("dynamodb", "tables/orders/stream", {"roll": "all"})
        try:
            reader.poll()
        except ClientError as error:
            refusals.add(error.response["Error"]["Code"])
            if "Expired" in error.response["Error"]["Code"]:
                reader.begin_again()
        fired = sim.control("dynamodb", "faults")["fired"]
        if round_ > 10 and all(fired.get(kind) for kind in kinds):
            break
    assert all(fired.get(kind) for kind in kinds), fired
    assert refusals == {"LimitExceededException", "ThrottlingException", "ProvisionedThroughputExceededException",
                        "ExpiredIteratorException"}
    sim.control("dynamodb", "faults", {"clear": 1})
    while reader.poll():
        pass
    assert reader.items == scan(sim.dynamodb, "orders")


def test_a_disabled_stream_is_read_to_its_end(sims):
    sim = sims("--dynamodb", 0, "--alternator", 0, "--no-stream-limits", "--stream-shards", 2)
    make_table(sim.dynamodb, "orders", [("p", "S", "HASH")])
    first = enable(sim.dynamodb, "orders", "NEW_IMAGE")
    write(sim.dynamodb, 1, keys=10)
    was = scan(sim.dynamodb, "orders")
    sim.dynamodb.update_table(TableName="orders", StreamSpecification={"StreamEnabled": False})
    write(sim.dynamodb, 2, keys=10)
    second = enable(sim.dynamodb, "orders", "NEW_IMAGE")
    assert second != first
    streams = streams_client(sim.dynamodb_address)
    assert {stream["StreamArn"] for stream in streams.list_streams(TableName="orders")["Streams"]} == {first, second}
    old, new = Reader(streams, first), Reader(streams, second)
    while old.poll() or new.poll():
        pass
    assert old.items == was and len(old.drained) == 2
    assert new.events == [] and new.drained == set()
    assert streams.describe_stream(StreamArn=first)["StreamDescription"]["StreamStatus"] == "DISABLED"


def test_alternators_stream_by_boto3(sims):
    sim = sims("--dynamodb", 0, "--alternator", 0, "--stream-delay-ms", 300, "--stream-shards", 8)
    make_table(sim.alternator, "orders", [("p", "S", "HASH")],
               StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    streams = streams_client(sim.alternator_addresses[0])
    arn = streams.list_streams()["Streams"][0]["StreamArn"]
    assert len(shards_of(streams, arn)) == 8
    write(sim.alternator, 1, keys=10)
    wanted = scan(sim.alternator, "orders")
    reader = Reader(streams, arn)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and reader.items != wanted:
        reader.poll()
    assert reader.items == wanted
    assert not any("userIdentity" in event for event in reader.events)
