"""A running job steered from beside it: who may, what it says, what becomes of it."""
import getpass
import json
import os
import pathlib
import signal
import socket
import stat
import time

import pytest

import oracle
from conftest import Messina, load, make_table
from test_copy import summary
from test_operation import KEY, slow_table, wait_for_progress

DEADLINE_S = 120


def wait_until(what, look):
    """Polls until `look()` answers with something that holds."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)  # between two looks; what is waited for is the state, not the time
    pytest.fail(f"not within {DEADLINE_S} s: {what}")


def values(snapshot):
    """What was set by hand: {setting: value}."""
    return {note["setting"]: note["value"] for note in snapshot["steering"]}


@pytest.fixture
def job(sims, messina):
    """A copy that takes minutes unless `finish` is called, running when the test begins."""
    return Job(sims(), messina)


class Job:
    def __init__(self, sim, messina, *flags):
        self.sim, self.messina = sim, messina
        slow_table(sim, latency_ms=2000)
        self.args = messina.copy_args(sim, "orders", "--json", "--write-concurrency", 1, *flags)
        self.start()

    def start(self):
        self.process = self.messina.start(*self.args)
        wait_for_progress(self.process, 1)

    def status(self, *flags):
        out, _ = self.messina.run("status", "--json", *flags)
        (row,) = map(json.loads, out.splitlines())
        return row

    def socket(self):
        (path,) = pathlib.Path(self.messina.state).glob("*/control.sock")
        return path

    def ask(self, *lines):
        """What the socket answers to these lines, until it closes."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(DEADLINE_S)
            folder = os.open(self.socket().parent, os.O_PATH)
            client.connect(f"/proc/self/fd/{folder}/control.sock")
            os.close(folder)
            try:
                client.sendall(b"".join(line.encode() + b"\n" for line in lines))
                client.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has closed already: what it said still counts
            said = b""
            try:
                while piece := client.recv(65536):
                    said += piece
            except ConnectionResetError:
                pass
        return [json.loads(line) for line in said.splitlines()]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=DEADLINE_S)
        assert self.process.returncode == 3, err
        return out, err

    def finish(self):
        self.sim.control("alternator", "faults", {"clear": True})
        out, err = self.process.communicate(timeout=DEADLINE_S)
        assert self.process.returncode == 0, err
        assert oracle.assert_equal(self.sim.dynamodb, self.sim.alternator, "orders") == 3000
        return out, err


def test_settings_are_shown_with_who_set_them_and_end_with_the_process(job, messina):
    setter = messina.start("set", "rcu=8000", "concurrency=2", "--json")
    out, err = setter.communicate(timeout=DEADLINE_S)
    assert setter.returncode == 0, err
    steered = json.loads(out)
    assert steered["event"] == "steered" and steered["pid"] == job.process.pid
    assert steered["done"] == "rcu=8000, concurrency=2"
    by = f"{getpass.getuser()} (uid {os.getuid()}, pid {setter.pid})"
    assert values(steered) == {"rcu": "8000", "concurrency": "2"}
    assert all(note["by"] == by for note in steered["steering"])

    row = job.status()
    assert row["running"] and row["live"] and row["progress"]["steering"] == steered["steering"]
    out, _ = messina.run("status")
    assert f"set        rcu = 8000 by {by} at 20" in out
    # The job itself says so too: in its progress, and on stderr.
    for line in job.process.stdout:
        event = json.loads(line)
        if event["event"] == "progress" and event["steering"] == steered["steering"]:
            break
    out, _ = messina.run("set", "concurrency=auto")
    assert out.startswith("concurrency=auto: dynamodb")
    assert values(job.status()["progress"])["concurrency"] == "auto"

    _, err = job.stop()
    notices = [json.loads(line)["message"] for line in err.splitlines() if '"notice"' in line]
    assert f"rcu=8000, concurrency=2 by {by}" in notices
    assert "set  " not in messina.run("status")[0]
    job.start()
    assert job.status()["progress"]["steering"] == []
    job.finish()


def test_pause_and_resume(job, messina):
    out, _ = messina.run("pause")
    assert out.startswith("paused: ") and "messina resume --state" in out
    row = job.status()
    assert row["progress"]["paused"] and values(row["progress"]) == {"paused": "yes"}
    out, _ = messina.run("status", "--check")
    assert out.startswith("paused: ") and getpass.getuser() in out
    out, _ = messina.run("resume", "--json")
    assert json.loads(out)["paused"] is False
    assert not job.status()["progress"]["paused"]
    job.finish()
    _, err = messina.run("pause", expect=2)
    assert "no job runs" in err
    _, err = messina.run("resume", *job.args[1:3], "--source-endpoint", f"http://{job.sim.dynamodb_address}", expect=2)
    assert "is done: there is nothing to steer" in err


def test_a_paused_job_does_nothing_and_a_resumed_one_goes_on(job, messina):
    messina.run("pause")
    paused = wait_until("the job has seen it", lambda: (lambda now: now if now["phase"] == "paused" else None)(job.status()["progress"]))
    # Nothing but the pause keeps it from its end, which is a second away.
    job.sim.control("alternator", "faults", {"clear": True})
    later = wait_until("some seconds of its own clock", lambda: (lambda now: now if now["elapsed_s"] > paused["elapsed_s"] + 5 else None)(job.status()["progress"]))
    assert job.process.poll() is None and later["phase"] == "paused"
    assert later["counts"]["written_items"] < 3000
    assert later["idle_s"] < 2, "who waits by design is not idle"
    messina.run("resume")
    job.finish()


def test_the_socket_is_private_bounded_and_takes_no_nonsense(job):
    assert stat.S_IMODE(job.socket().stat().st_mode) == 0o600
    good = '{"v":1,"do":"status"}'
    first, second = job.ask(good, '{"v":1,"do":"set","rcu":5}')
    assert first["ok"] and first["snapshot"]["phase"] == "copying" and first["snapshot"]["steering"] == []
    assert values(second["snapshot"]) == {"rcu": "5"}
    for bad in ("", "pause", "[1]", '{"v":2,"do":"pause"}', '{"v":1,"do":"set","rcu":-1}', '{"v":1,"do":"stop"}',
                '{"v":1,"do":"pause","rcu":1}', "\x00\xff", "{" * 4000):
        (answer,) = job.ask(bad)
        assert answer["ok"] is False and answer["message"], bad
    assert job.ask("x" * 5000) == []
    assert len(job.ask(good, "x" * 5000, good)) <= 1, "nothing behind the line that is too long"
    assert values(job.ask(good)[0]["snapshot"]) == {"rcu": "5"}
    job.stop()
    assert not list(pathlib.Path(job.messina.state).glob("*/control.sock"))


def test_a_long_state_path(sims, binaries, tmp_path):
    messina = Messina(binaries / "messina", tmp_path)
    messina.state = tmp_path / ("d" * 100) / ("e" * 100)
    job = Job(sims(), messina)
    assert len(str(job.socket())) > 250
    messina.run("set", "rcu=7000")
    assert values(job.status()["progress"]) == {"rcu": "7000"}
    job.finish()


def test_a_socket_that_a_killed_process_left_is_replaced(job, messina):
    job.process.kill()
    job.process.communicate(timeout=DEADLINE_S)
    left = job.socket()
    assert stat.S_ISSOCK(left.stat().st_mode)
    _, err = messina.run("pause", expect=2)
    assert "no job runs" in err
    _, err = messina.run("pause", "--migration", left.parent.name, expect=2)
    assert "is not running: start it" in err
    job.args += ["--dead-after", "300ms", "--clock-error", "50ms"]
    job.start()
    messina.run("set", "rcu=7000")
    assert job.status()["live"]
    job.finish()


def test_one_of_two_running_jobs_is_named(job, messina):
    make_table(job.sim.dynamodb, "other", KEY)
    load(job.sim.dynamodb, "other", ({"id": {"N": str(i)}, "v": {"S": "x" * 2000}} for i in range(300)))
    other = messina.start(*messina.copy_args(job.sim, "other", "--json", "--write-concurrency", 1))
    wait_for_progress(other, 0)
    _, err = messina.run("pause", expect=2)
    assert "2 jobs run" in err and "--migration" in err
    endpoint = ("--source-endpoint", f"http://{job.sim.dynamodb_address}")
    messina.run("set", "rcu=7000", *job.args[1:3], *endpoint)
    rows = {json.loads(line)["source"].rsplit("/", 1)[1]: json.loads(line)
            for line in messina.run("status", "--json")[0].splitlines()}
    assert values(rows["orders"]["progress"]) == {"rcu": "7000"}
    assert rows["other"]["progress"]["steering"] == []
    job.sim.control("alternator", "faults", {"clear": True})
    other.communicate(timeout=DEADLINE_S)
    assert other.returncode == 0
    job.finish()


def test_a_process_that_hangs_is_seen_to_hang(job, messina):
    wait_until("a first commit", lambda: job.status()["counts"]["written_items"])
    job.process.send_signal(signal.SIGSTOP)
    try:
        _, err = messina.run("pause", expect=3)
        assert f"pid {job.process.pid}" in err and "gives no answer" in err
        row = job.status()
        assert row["running"] and not row["live"]
        out, _ = messina.run("status", "--check", "--stalled-after", "1s", expect=3)
        assert out.startswith("stalled: ") and f"pid {job.process.pid}" in out
        assert messina.run("status", "--check", "--stalled-after", "10h")[0].startswith("running: ")
    finally:
        job.process.send_signal(signal.SIGCONT)
    row = wait_until("it answers again", lambda: (lambda now: now if now["live"] else None)(job.status()))
    assert row["progress"]["steering"] == [], "what got no answer was not done later"
    job.finish()


def test_a_finished_job_says_its_numbers(job):
    out, _ = job.finish()
    assert summary(out)["counts"]["written_items"] == 3000
