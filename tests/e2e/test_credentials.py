"""Each source of AWS credentials, judged by a simulator that checks every signature; renewal in the middle of a job."""
import pathlib
import signal
import subprocess

import pytest

import credential_services
from conftest import load, make_table
from credential_services import CredentialServices, Keys, without_keys
from test_steering import wait_until


@pytest.fixture
def services():
    running = CredentialServices(Keys(1))
    yield running
    running.stop()


@pytest.fixture
def guarded(sims, messina, services):
    """A simulator whose DynamoDB takes the keys of `services` only."""
    sim = sims()
    make_table(sim.dynamodb, "orders", [("id", "S", "HASH")])
    load(sim.dynamodb, "orders", ({"id": {"S": f"o{i}"}} for i in range(300)))
    sim.control("dynamodb", "credentials", services.keys.control())
    without_keys(messina)
    return sim


def copied(sim):
    return sim.control("alternator", "stats")["tables"]["orders"]["items"]


@pytest.mark.parametrize("source", credential_services.SOURCES, ids=lambda s: s.__name__)
def test_every_source_signs(guarded, messina, services, source):
    flags = source(messina, services) or []
    messina.run(*messina.copy_args(guarded, "orders", *flags))
    assert copied(guarded) == 300
    if source is not credential_services.process:
        assert len(services.calls) == 1, services.calls
    # The AWS chain's tokens are DynamoDB's alone.
    assert guarded.control("alternator", "stats")["session_tokens_seen"] == 0


def test_a_role_by_flags_reaches_sts_whole(guarded, messina, services):
    flags = credential_services.role_by_flags(messina, services)
    messina.run(*messina.copy_args(guarded, "orders", *flags))
    assert services.calls == ["AssumeRole arn:aws:iam::1:role/flag x2"]


def test_a_unit_of_work_keeps_its_role(guarded, messina, services, tmp_path):
    """The unit's JSON names the role; its keys come from the environment of the process that runs it."""
    flags = credential_services.role_by_flags(messina, services)
    out, _ = messina.run(*messina.copy_args(guarded, "orders", "--segments", "1", "--print-units", *flags))
    assert "base-secret" not in out
    unit = tmp_path / "unit.json"
    unit.write_text(out)
    make_table(guarded.alternator, "orders", [("id", "S", "HASH")])
    messina.run("copy-unit", unit)
    assert copied(guarded) == 300
    assert services.calls == ["AssumeRole arn:aws:iam::1:role/flag x2"] * 2


@pytest.mark.parametrize("source", [credential_services.role_of_profile, credential_services.instance], ids=lambda s: s.__name__)
def test_credentials_that_end_in_the_middle_are_renewed(guarded, messina, services, source):
    """At the second page the keys of the start are refused; the service gives out others, and only those are taken."""
    source(messina, services)

    def rotate(call):
        if call == 2:
            services.keys = Keys(2)
            guarded.control("dynamodb", "credentials", services.keys.control())

    services.on_call = rotate
    guarded.control("dynamodb", "faults", {"kind": "expired_credentials", "operation": "Scan", "skip": 1, "count": 1})
    messina.run(*messina.copy_args(guarded, "orders", "--segments", "8"))
    assert copied(guarded) == 300
    assert len(services.calls) == 2, services.calls


def test_sts_by_tls_with_a_ca_of_its_own(guarded, messina, tmp_path):
    pem = tmp_path / "sts.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", pem, "-out", tmp_path / "cert"], check=True, capture_output=True)
    pem.write_text(pem.read_text() + (tmp_path / "cert").read_text())
    services = CredentialServices(Keys(1), pem)
    try:
        credential_services.role_of_profile(messina, services)
        _, err = messina.run(*messina.copy_args(guarded, "orders"), expect=2)
        assert "AssumeRole" in err and "certificate" in err
        messina.env["AWS_CA_BUNDLE"] = str(tmp_path / "cert")
        messina.run(*messina.copy_args(guarded, "orders"))
        assert copied(guarded) == 300
    finally:
        services.stop()


def test_credentials_that_stay_refused_end_the_job(guarded, messina, services):
    """New ones are asked for once; when they are refused too, the job ends, and keeps its place."""
    credential_services.role_of_profile(messina, services)
    guarded.control("dynamodb", "faults", {"kind": "expired_credentials", "operation": "Scan"})
    _, err = messina.run(*messina.copy_args(guarded, "orders"), expect=2)
    assert "ExpiredTokenException" in err and "get new credentials" in err
    assert len(services.calls) == 2, services.calls
    guarded.control("dynamodb", "faults", {"clear": 1})
    messina.run(*messina.copy_args(guarded, "orders"))
    assert copied(guarded) == 300


def test_a_clock_that_is_wrong_by_twenty_minutes(sims, messina):
    """Both servers check signatures, and their clocks are ahead of this machine's."""
    sim = sims()
    make_table(sim.dynamodb, "orders", [("id", "S", "HASH")])
    load(sim.dynamodb, "orders", ({"id": {"S": f"o{i}"}} for i in range(300)))
    for side in ("dynamodb", "alternator"):
        sim.control(side, "credentials", {"access_key": "AK", "secret_key": "SK"})
        sim.control(side, "clock", {"advance_ms": 20 * 60_000})
    messina.env.update(AWS_ACCESS_KEY_ID="AK", AWS_SECRET_ACCESS_KEY="SK", TARGET_SECRET="SK")
    _, err = messina.run(*messina.copy_args(sim, "orders", "--target-access-key", "AK", "--target-secret-key-env", "TARGET_SECRET"))
    assert copied(sim) == 300
    assert err.count("this machine's clock is 20 min behind the server's") == 2, err


def test_what_was_tried_is_listed(guarded, messina):
    _, err = messina.run("copy", "dynamodb://us-east-1/orders", f"alternator://{guarded.alternator_addresses[0]}/orders", expect=2)
    tried = ["no access key was given", "AWS_ACCESS_KEY_ID is not set", 'profile "default" is neither in',
             "AWS_WEB_IDENTITY_TOKEN_FILE is not set", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set",
             "AWS_EC2_METADATA_DISABLED is true"]
    places = [err.index(clause) for clause in tried]
    assert places == sorted(places)


@pytest.mark.parametrize("tables", [False, True], ids=["one", "many"])
def test_a_stop_does_not_wait_for_the_first_credentials(guarded, messina, tmp_path, tables):
    """A process that prints credentials may take a minute: one signal ends messina, and the process with it."""
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    script = tmp_path / "slow"
    script.write_text(f"#!/bin/sh\necho $$ > {begun}.new; mv {begun}.new {begun}\nsleep 50\ntouch {ended}\n")
    script.chmod(0o700)
    config = tmp_path / "config"
    config.write_text(f"[profile p]\ncredential_process = {script}\n")
    messina.env.update(AWS_CONFIG_FILE=str(config), AWS_PROFILE="p")
    args = messina.copy_args(guarded, "orders")
    if tables:
        args = [*(word.removesuffix("/orders") for word in args), "--tables", "o*"]
    process = messina.start(*args)
    wait_until("the process runs", begun.exists)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 3 and "stopped before anything was done" in err
    assert not ended.exists()
    wait_until("its process is gone", lambda: not pathlib.Path("/proc", begun.read_text().strip()).exists())
