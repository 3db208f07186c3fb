"""Secrets and item contents stay where they belong: planted ones are looked for in every output and in the state."""
import os
import pathlib
import stat

import pytest

import credential_services
from conftest import load, make_table
from credential_services import CredentialServices, Keys, without_keys
from test_watching import Watched

SECRET = "planted-secret-8f3a1c"
TOKEN = "planted-token-77be02"
CONTENT = "planted-content-5d90aa"


def test_planted_secrets_appear_nowhere(sims, messina):
    sim = sims()
    make_table(sim.dynamodb, "orders", [("id", "S", "HASH")])
    load(sim.dynamodb, "orders", ({"id": {"S": f"{CONTENT}-{i}"}, "v": {"S": CONTENT}} for i in range(200)))
    messina.env.update(AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY=SECRET, AWS_SESSION_TOKEN=TOKEN,
                       ALTERNATOR_SECRET=SECRET)
    sim.control("dynamodb", "faults", {"kind": "error_before", "operation": "Scan", "count": 2})
    sim.control("alternator", "faults", {"kind": "throttle_table", "operation": "BatchWriteItem", "count": 2})
    process = messina.start(*messina.copy_args(
        sim, "orders", "--log-level", "debug", "--target-access-key", "role", "--target-secret-key-env", "ALTERNATOR_SECRET"))
    command = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert SECRET.encode() not in command
    for planted in (SECRET, TOKEN, CONTENT):
        assert planted not in out
        assert planted not in err
    for file in messina.state.rglob("*"):
        if file.is_file():
            for planted in (SECRET, TOKEN, CONTENT):
                assert planted.encode() not in file.read_bytes(), file
    # Only rejects are kept with their contents, and a session token never reaches an Alternator.
    assert sim.control("alternator", "stats")["session_tokens_seen"] == 0


def test_pages_and_the_socket_show_no_secrets(sims, messina):
    messina.env.update(AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY=SECRET, AWS_SESSION_TOKEN=TOKEN,
                       ALTERNATOR_SECRET=SECRET)
    watched = Watched(sims(), messina, "--target-access-key", "role", "--target-secret-key-env", "ALTERNATOR_SECRET")
    said = [watched.get(page)[2] for page in ("/metrics", "/status", "/healthz")]
    said.append(repr(watched.status()))
    said.append(repr(watched.ask('{"v":1,"do":"status"}')))
    assert all(said)
    for planted in (SECRET, TOKEN, "xxxxxxxx"):  # the items' values are made of x
        assert not any(planted in text for text in said)
    watched.finish()


@pytest.mark.parametrize("json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("source", credential_services.SOURCES, ids=lambda s: s.__name__)
def test_secrets_of_temporary_credentials_appear_nowhere(sims, messina, source, json):
    """What comes in from STS, a process, a login's cache or the machine, and what it was asked with."""
    services = CredentialServices(Keys(1, "-" + SECRET))
    try:
        services.bearer, services.container_token, services.identity_token = (f"{SECRET}-{n}" for n in ("login", "pod", "identity"))
        CredentialServices.BASE.secret_key = f"base-{SECRET}"
        sim = sims()
        make_table(sim.dynamodb, "orders", [("id", "S", "HASH")])
        load(sim.dynamodb, "orders", ({"id": {"S": f"o{i}"}} for i in range(50)))
        sim.control("dynamodb", "credentials", services.keys.control())
        without_keys(messina)
        flags = source(messina, services) or []
        planted = [SECRET, services.keys.session_token, services.keys.secret_key]
        # One renewal in the middle, and one refusal at the end.
        sim.control("dynamodb", "faults", {"kind": "expired_credentials", "operation": "Scan", "skip": 1, "count": 1})
        args = messina.copy_args(sim, "orders", "--segments", "4", "--log-level", "trace", *flags, *(["--json"] if json else []))
        process = messina.start(*args)
        command = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        sim.control("dynamodb", "credentials", Keys(2).control())
        services.bearer = services.container_token = services.identity_token = "another"
        refused = messina.start(*messina.copy_args(sim, "orders", "--restart", "--into-existing", "--log-level", "trace", *flags))
        out2, err2 = refused.communicate(timeout=120)
        assert refused.returncode != 0
        for word in planted:
            for text in (command, out, err, out2, err2):
                assert word not in text, text
            for file in messina.state.rglob("*"):
                if file.is_file():
                    assert word.encode() not in file.read_bytes(), file
        assert sim.control("alternator", "stats")["session_tokens_seen"] == 0
    finally:
        CredentialServices.BASE.secret_key = "base-secret"
        services.stop()


def test_the_state_directory_is_private_and_says_what_it_holds(sims, messina):
    sim = sims()
    make_table(sim.dynamodb, "orders", [("id", "S", "HASH")])
    os.umask(0o000)
    messina.run(*messina.copy_args(sim, "orders"))
    assert stat.S_IMODE(messina.state.stat().st_mode) == 0o700
    for file in messina.state.rglob("*"):
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
    assert "CONTENTS OF YOUR TABLES" in (messina.state / "README").read_text()
