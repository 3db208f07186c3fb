import json
import os
import pathlib
import queue
import signal
import subprocess
import threading
import urllib.request

import boto3
import pytest
from botocore.config import Config


def pytest_addoption(parser):
    parser.addoption("--build", required=True, help="build folder with bin/messina and bin/messina-sim")
    parser.addoption("--data", required=True, help="the data folder of the npm package vega-datasets")


@pytest.fixture(scope="session")
def binaries(request):
    return pathlib.Path(request.config.getoption("--build")) / "bin"


@pytest.fixture(scope="session")
def vega(request):
    return pathlib.Path(request.config.getoption("--data"))


class Sim:
    """A running messina-sim with one DynamoDB and one or more Alternator listeners."""

    def __init__(self, binary, log, *flags):
        self.log = open(log, "wb")
        self.process = subprocess.Popen([binary, *map(str, flags)], stdout=subprocess.PIPE, stderr=self.log)
        lines = queue.Queue()
        threading.Thread(target=lambda: [lines.put(line) for line in self.process.stdout], daemon=True).start()
        ready = lines.get(timeout=60).decode()
        assert ready.startswith("ready "), ready
        ports = dict(field.split("=", 1) for field in ready.split()[1:])
        self.dynamodb_address = ports["dynamodb"].split(",")[0]
        self.alternator_addresses = ports["alternator"].split(",")
        self.dynamodb = client(self.dynamodb_address)
        self.alternator = client(self.alternator_addresses[0])

    def control(self, side, path, body=None):
        """Asks the control endpoint of one side, "dynamodb" or "alternator"."""
        address = self.dynamodb_address if side == "dynamodb" else self.alternator_addresses[0]
        request = urllib.request.Request(
            f"http://{address}/_sim/{path}", data=None if body is None else json.dumps(body).encode(),
            method="GET" if body is None else "POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def client(address, attempts=10):
    return boto3.client(
        "dynamodb", endpoint_url=f"http://{address}", region_name="us-east-1", aws_access_key_id="test",
        aws_secret_access_key="test", config=Config(retries={"total_max_attempts": attempts}, read_timeout=120))


@pytest.fixture
def sims(binaries, tmp_path):
    """Starts simulators; all of them end with the test."""
    running = []

    def start(*flags):
        flags = flags or ("--dynamodb", "0", "--alternator", "0")
        sim = Sim(binaries / "messina-sim", tmp_path / f"sim{len(running)}.log", *flags)
        running.append(sim)
        return sim

    yield start
    for sim in running:
        sim.stop()


class Messina:
    """Runs the real binary with a state directory of the test's own."""

    def __init__(self, binary, folder):
        self.binary, self.state = binary, folder / "state"
        # Nothing of the machine's own AWS settings may reach the tests.
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and not k.lower().endswith("_proxy")}
        self.env.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_EC2_METADATA_DISABLED="true",
                        HOME=str(folder))

    def copy_args(self, sim, table, *more, target_table=None):
        return ["copy", f"dynamodb://us-east-1/{table}",
                f"alternator://{sim.alternator_addresses[0]}/{target_table or table}",
                "--source-endpoint", f"http://{sim.dynamodb_address}", *map(str, more)]

    def start(self, *args, **kwargs):
        return subprocess.Popen([self.binary, *map(str, args), "--state", self.state], env=self.env,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)

    def run(self, *args, expect=0, timeout=300):
        process = self.start(*args)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"messina {args} did not end in {timeout} s:\n{out}\n{err}")
        assert expect is None or process.returncode == expect, f"exit {process.returncode}, expected {expect}\n{out}\n{err}"
        return out, err


@pytest.fixture
def messina(binaries, tmp_path):
    return Messina(binaries / "messina", tmp_path)


def make_table(dynamo, name, key, **extra):
    dynamo.create_table(
        TableName=name, KeySchema=[{"AttributeName": n, "KeyType": kind} for n, _, kind in key],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t, _ in key],
        **{"BillingMode": "PAY_PER_REQUEST", **extra})
    dynamo.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})


def to_boto(item):
    """DynamoDB JSON -> what boto3's client takes (binaries as bytes)."""
    import base64

    def convert(value):
        (kind, v), = value.items()
        if kind == "B":
            return {"B": base64.b64decode(v)}
        if kind == "BS":
            return {"BS": [base64.b64decode(b) for b in v]}
        if kind == "L":
            return {"L": [convert(e) for e in v]}
        if kind == "M":
            return {"M": {n: convert(e) for n, e in v.items()}}
        return value

    return {name: convert(value) for name, value in item.items()}


def load(dynamo, table, items):
    """Writes items by BatchWriteItem of 25 (fewer when they are large)."""
    batch, size, count = [], 0, 0

    def flush():
        request = {table: [{"PutRequest": {"Item": to_boto(i)}} for i in batch]}
        while request:
            request = dynamo.batch_write_item(RequestItems=request).get("UnprocessedItems")
        batch.clear()

    for item in items:
        length = len(json.dumps(item))
        if batch and (len(batch) == 25 or size + length > 8_000_000):
            flush()
            size = 0
        batch.append(item)
        size += length
        count += 1
    if batch:
        flush()
    return count

