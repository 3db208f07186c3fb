"""`capture`, `copy` and `apply` on one migration: beside each other through the socket of the process that has the state, or one after
the other from the ledger; always equal in the end."""
import getpass
import json
import signal

import oracle
from test_copy import summary
from test_migrate import TIMES, Writer, written  # noqa: F401: a fixture
from test_operation import slow_table, wait_for_progress
from test_steering import DEADLINE_S, wait_until


def command(messina, sim, name, *more, table="live"):
    return [name, *messina.copy_args(sim, table, *more, *TIMES)[1:]]


def row(messina):
    """What `status` says of the migration; empty as long as there is none."""
    if not messina.state.exists():
        return {}
    rows = [json.loads(line) for line in messina.run("status", "--json")[0].splitlines()]
    return rows[0] if rows else {}


def live(messina):
    return (row(messina).get("progress") or {}).get("live") or {}


def roles(messina):
    """What the running process does: {role: state}."""
    return {note["role"]: note["state"] for note in live(messina).get("roles", [])}


def start(messina, sim, name, *more, state=None):
    """Starts a process of its own, and waits until it does its part."""
    process = messina.start(*command(messina, sim, name, *more))
    wait_until(f"{name} is at work", lambda: roles(messina).get(name) == (state or "running"))
    return process


def notices(err):
    return [json.loads(line)["message"] for line in err.splitlines() if '"notice"' in line]


def finish(process, *, interrupt=False, expect=0):
    if interrupt:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == expect, f"exit {process.returncode}\n{out}\n{err}"
    return out, err


def wait_for_notice(process, text):
    """Reads stderr until a line has this text."""
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"it ended without saying {text!r}: {process.communicate()}")


def test_copy_and_apply_join_a_capture_that_runs(written, messina):  # noqa: F811
    sim, keys = written(31, 1500)
    writer = Writer(sim, "live", 31, keys)
    capture = start(messina, sim, "capture", "--enable-stream")
    writer.start()
    assert set(roles(messina)) == {"capture"}

    out, err = messina.run(*command(messina, sim, "copy", "--json"))
    told = summary(out)
    assert told["job"] == "copy" and told["finished"] and told["counts"]["written_items"] >= 1000
    assert told["counts"]["read_items"] == told["counts"]["written_items"]
    (first, *_) = notices(err)
    assert f"pid {capture.pid} on " in first and "Ctrl-C leaves it running" in first
    assert capture.poll() is None, "the capture goes on"
    assert roles(messina) == {"capture": "running", "copy": "done"}

    apply = messina.start(*command(messina, sim, "apply"))
    wait_for_notice(apply, f"pid {capture.pid} on ")
    wait_until("changes are applied", lambda: live(messina).get("applied", 0) > 0)
    assert roles(messina) == {"capture": "running", "copy": "done", "apply": "running"}
    text, _ = messina.run("status")
    assert "  does       capture, copy (done), apply\n" in text
    assert f"set        roles = apply by {getpass.getuser()} (uid " in text
    _, err = finish(apply, interrupt=True)
    assert f"`kill {capture.pid}`" in err and "safe point" not in err
    assert capture.poll() is None and roles(messina)["apply"] == "running"

    # Whatever is written before it is asked is there when it says so.
    assert writer.stop() > 20
    out, _ = messina.run(*command(messina, sim, "migrate", "--until", "in-step", "--json"))
    ended = summary(out)
    assert ended["job"] == "migrate" and ended["finished"] and ended["live"]["in_step"]
    assert ended["live"]["complete_until"]
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, "live") > 0
    assert "already done" in messina.run(*command(messina, sim, "copy"))[0]
    assert capture.poll() is None
    out, _ = finish(capture, interrupt=True)
    assert "in step: " in out and "captured" in out


def test_migrate_joins_an_apply_and_begins_with_the_capture(written, messina):  # noqa: F811
    """The rest of the roles, in the order that makes them right; the stream is switched on by who asks."""
    sim, keys = written(32, 800)
    holder = start(messina, sim, "apply", state="waiting")
    assert "waiting: history has not begun" in messina.run("status")[0]
    _, err = messina.run(*command(messina, sim, "migrate"), expect=2)
    assert f"pid {holder.pid}" in err and "cannot begin to capture" in err and "--enable-stream" in err
    states = roles(messina)
    assert states["capture"] == "failed" and states["copy"] == "failed" and holder.poll() is None
    writer = Writer(sim, "live", 32, keys)
    writer.start()
    joined = messina.start(*command(messina, sim, "migrate", "--enable-stream", "--json"))
    wait_until("all roles", lambda: roles(messina) == {"capture": "running", "copy": "done", "apply": "running"})
    assert live(messina)["stream_view"] == "NEW_IMAGE"
    writer.stop()
    finish(joined, interrupt=True)
    out, _ = messina.run(*command(messina, sim, "migrate", "--until", "in-step"))
    assert out.startswith("in step: ")
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")
    finish(holder, interrupt=True)


def test_one_after_the_other_from_the_ledger(written, messina):  # noqa: F811
    sim, keys = written(33, 500)
    capture = start(messina, sim, "capture", "--enable-stream")
    writer = Writer(sim, "live", 33, keys)
    writer.start()
    wait_until("changes are captured", lambda: live(messina)["events"] > 30)
    writer.stop()
    wait_until("all of them", lambda: live(messina)["spool_keys_at_most"] > 0)
    captured = live(messina)["events"]
    out, _ = finish(capture, interrupt=True)
    assert out.startswith("captured the changes of dynamodb") and "next: `messina migrate`" in out
    assert "in the spool" in out and "not in step" not in out

    out, _ = messina.run(*command(messina, sim, "copy", "--json"))
    assert summary(out)["counts"]["written_items"] > 0
    apply = start(messina, sim, "apply")
    wait_until("what waited is applied", lambda: live(messina)["applied"] > 0)
    out, _ = finish(apply, interrupt=True)
    assert out.startswith("applied the changes of dynamodb") and "next: `messina migrate`" in out
    before = row(messina)["counts"]["written_items"]
    out, _ = messina.run(*command(messina, sim, "migrate", "--until", "in-step", "--json"))
    assert summary(out)["live"]["events"] < captured, "the capture goes on where it was"
    assert row(messina)["counts"]["written_items"] == before, "the copy between the two counted: nothing was copied again"
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")


def test_who_follows_says_that_the_holder_was_killed_and_migrate_goes_on(written, messina):  # noqa: F811
    sim, keys = written(34, 400)
    writer = Writer(sim, "live", 34, keys)
    holder = start(messina, sim, "capture", "--enable-stream")
    writer.start()
    apply = messina.start(*command(messina, sim, "apply", "--json"))
    copy = messina.start(*command(messina, sim, "copy", "--json"))
    finish(copy)
    wait_until("all roles", lambda: roles(messina) == {"capture": "running", "copy": "done", "apply": "running"})
    holder.kill()
    holder.communicate()
    out, err = finish(apply, expect=3)
    error = json.loads(err.splitlines()[-1])
    assert error["event"] == "error" and error["exit_code"] == 3
    assert f"pid {holder.pid} on " in error["message"] and "was killed" in error["message"]
    assert any(json.loads(line)["event"] == "progress" for line in out.splitlines())
    writer.stop()
    messina.run(*command(messina, sim, "migrate", "--until", "in-step"))
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")


def test_who_follows_ends_as_the_holder_does(written, messina):  # noqa: F811
    sim, _ = written(35, 300)
    holder = start(messina, sim, "capture", "--enable-stream")
    joined = messina.start(*command(messina, sim, "migrate"))
    wait_until("all roles", lambda: roles(messina) == {"capture": "running", "copy": "done", "apply": "running"})
    wait_for_notice(joined, "is followed here")
    finish(holder, interrupt=True)
    _, err = finish(joined, expect=3)
    assert f"pid {holder.pid} on " in err and "was stopped" in err
    messina.run(*command(messina, sim, "migrate", "--until", "in-step"))
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")


def test_a_copy_that_runs_is_followed_and_takes_on_nothing(sims, messina):
    sim = sims()
    slow_table(sim)
    args = messina.copy_args(sim, "orders", "--json", "--write-concurrency", 1)
    holder = messina.start(*args)
    wait_for_progress(holder, 100)
    for name in ("capture", "apply", "migrate"):
        _, err = messina.run(name, *args[1:], expect=4)
        assert f"pid {holder.pid} on " in err and "stop it, then run `messina migrate`" in err, err
    for flag in ("--restart", "--take-over"):
        _, err = messina.run(*args, flag, expect=4)
        assert flag in err and "stop it, then run this again" in err
    _, err = messina.run(*args, "--rename", "v=w", "--segments", 7, expect=4)
    assert "another plan: renames, segments differ" in err
    follower = messina.start(*messina.copy_args(sim, "orders", "--json", "--read-rcu", 77))
    assert "is followed here" in wait_for_notice(follower, f"pid {holder.pid} on ")
    assert "--read-rcu" in wait_for_notice(follower, "it keeps its own")
    assert holder.poll() is None
    sim.control("alternator", "faults", {"clear": True})
    rest, _ = follower.communicate(timeout=DEADLINE_S)
    assert follower.returncode == 0
    mine, its = summary(rest), summary(holder.communicate(timeout=DEADLINE_S)[0])
    assert mine["counts"] == its["counts"] and mine["finished"] and not mine["was_already_done"]
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, "orders") == 3000


def test_a_live_migration_takes_no_other_plan(written, messina):  # noqa: F811
    sim, _ = written(36, 100)
    holder = start(messina, sim, "capture", "--enable-stream", "--skip-expired")
    for flags, said in ((["--segments", 3], "segments differ"), (["--drop", "x"], "dropped attributes differ")):
        _, err = messina.run(*command(messina, sim, "copy", *flags), expect=4)
        assert said in err and f"pid {holder.pid}" in err
    _, err = messina.run(*command(messina, sim, "migrate"), expect=4)
    assert "--skip-expired" in err
    _, err = messina.run(*command(messina, sim, "migrate", "--skip-expired", "--heal"), expect=4)
    assert "--heal cannot be asked of a process that runs" in err
    _, err = messina.run(*command(messina, sim, "copy", "--eventually-consistent"), expect=4)
    assert "--eventually-consistent differ" in err
    assert set(roles(messina)) == {"capture"}
    finish(holder, interrupt=True)


def test_a_copy_that_cannot_begin_leaves_the_capture_alone(written, messina):  # noqa: F811
    """The target has items of somebody else: who asked is told, and may ask again with leave."""
    sim, _ = written(37, 200)
    holder = start(messina, sim, "capture", "--enable-stream")
    sim.alternator.put_item(TableName="live", Item={"p": {"S": "somebody else's"}, "s": {"N": "7"}})
    _, err = messina.run(*command(messina, sim, "copy"), expect=4)
    assert "cannot begin to copy" in err and "--into-existing" in err
    assert holder.poll() is None and roles(messina) == {"capture": "running", "copy": "failed"}
    messina.run(*command(messina, sim, "copy", "--into-existing"))
    assert roles(messina) == {"capture": "running", "copy": "done"}
    _, err = messina.run(*command(messina, sim, "migrate", "--until", "in-step"), expect=4)
    assert "--delete-extra" in err
    finish(holder, interrupt=True)
    messina.run(*command(messina, sim, "migrate", "--until", "in-step", "--delete-extra"))
    oracle.assert_equal(sim.dynamodb, sim.alternator, "live")


def test_a_holder_that_hangs_is_said(written, messina):  # noqa: F811
    sim, _ = written(38, 50)
    holder = start(messina, sim, "capture", "--enable-stream")
    holder.send_signal(signal.SIGSTOP)
    try:
        _, err = messina.run(*command(messina, sim, "copy"), expect=4)
        assert f"pid {holder.pid} on " in err and "gives no answer" in err
    finally:
        holder.send_signal(signal.SIGCONT)
    finish(holder, interrupt=True)
