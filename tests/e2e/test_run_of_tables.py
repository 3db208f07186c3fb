"""A run over many tables seen and steered from beside it: one table alone, and all of them."""
import getpass
import json
import re
import signal
import threading
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

import oracle
from conftest import load, make_table
from test_steering import DEADLINE_S, values, wait_until

KEY = [("id", "N", "HASH")]
ITEMS = 1500
NAMES = ["tb0", "tb1", "tb2"]


class Run:
    """Three tables that take minutes unless `finish` is called: two at once, the third waits for its turn."""

    def __init__(self, sim, messina, *flags, names=NAMES):
        self.sim, self.messina, self.names = sim, messina, names
        for name in names:
            make_table(sim.dynamodb, name, KEY)
            load(sim.dynamodb, name, ({"id": {"N": str(i)}, "v": {"S": "x" * 2000}} for i in range(ITEMS)))
        sim.control("alternator", "faults", {"kind": "latency", "operation": "BatchWriteItem", "ms": 3000})
        self.named = ["dynamodb://us-east-1", f"alternator://{sim.alternator_addresses[0]}",
                      "--source-endpoint", f"http://{sim.dynamodb_address}", "--tables", "tb*"]
        self.args = ["copy", *self.named, "--json", "--listen", "127.0.0.1:0", "--parallel-tables", "2", "--order", "name",
                     "--write-concurrency", "2", *flags]
        self.start()

    def start(self):
        self.process = self.messina.start(*self.args)
        self.out, self.err = [], []  # lines, read as they come: a full pipe would hold the job up
        self.readers = [threading.Thread(target=lambda pipe=pipe, lines=lines: lines.extend(iter(pipe.readline, "")))
                        for pipe, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))]
        for reader in self.readers:
            reader.start()
        found = wait_until("it says where it listens", lambda: re.search(r"listening on (http://127.0.0.1:\d+) ", "".join(self.err)))
        self.address = found[1]
        wait_until("two copy, and one stands ready",
                   lambda: sorted(t["phase"] for t in self.pages()["progress"]) == ["copying", "copying", "queued"])
        # Who is prepared first copies first.
        (self.queued,) = (t["table"] for t in self.pages()["progress"] if t["phase"] == "queued")
        self.first, self.second = (name for name in self.names if name != self.queued)

    def get(self, path):
        try:
            with urllib.request.urlopen(self.address + path, timeout=DEADLINE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def pages(self):
        return json.loads(self.get("/status")[1])

    def table(self, name):
        """A table of /status, while it runs."""
        now = self.pages()
        found = [t for t in now["progress"] if t["table"] == name]
        assert found, f"{name} does not run: {now} {self.err}"
        return found[0]

    def samples(self):
        """{(name, table, own label): value}, by another's parser."""
        found = {}
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                labels = dict(sample.labels)
                table = labels.pop("table")
                assert labels.pop("source").endswith(f"/us-east-1/{table}")
                assert labels.pop("target").endswith(f"/{table}")
                found[sample.name, table, *labels.values()] = sample.value
        return found

    def one(self, name):
        """How a command names one of the tables."""
        return [f"dynamodb://us-east-1/{name}", f"{self.named[1]}/{name}", *self.named[2:4]]

    def events(self, *args, **more):
        out, _ = self.messina.run(*args, "--json", **more)
        return [json.loads(line) for line in out.splitlines()]

    def end(self, expect):
        """The events on stdout, once it has ended."""
        self.process.wait(timeout=DEADLINE_S)
        for reader in self.readers:
            reader.join()
        assert self.process.returncode == expect, "".join(self.err)
        return [json.loads(line) for line in self.out]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.end(3)

    def finish(self):
        self.sim.control("alternator", "faults", {"clear": True})
        events = self.end(0)
        for name in self.names:
            assert oracle.assert_equal(self.sim.dynamodb, self.sim.alternator, name) == ITEMS
        return events


@pytest.fixture
def run(sims, messina):
    return Run(sims(), messina)


def test_one_table_is_paused_alone_and_all_of_them_together(run, messina):
    (steered,) = run.events("pause", *run.one(run.first))
    assert steered["event"] == "steered" and steered["source"].endswith("/" + run.first) and steered["paused"]
    assert values(steered) == {"paused": "yes"} and not steered["steering"][0]["all_tables"]
    wait_until("it stands", lambda: run.table(run.first)["phase"] == "paused")
    assert {name for name in NAMES if run.table(name)["paused"]} == {run.first}
    assert run.samples()["messina_paused", run.first] == 1 and run.samples()["messina_paused", run.second] == 0
    assert "1 of them paused" in run.get("/healthz")[1]

    *tables, all_of_them = run.events("pause", *run.named)
    assert [event["event"] for event in tables] == ["steered"] * 3
    assert all(event["paused"] and event["steering"][0]["all_tables"] for event in tables)
    assert all_of_them["event"] == "tables_steered" and all_of_them["tables"] == 3 and all_of_them["failed"] == 0
    rows = run.events("status", *run.named)
    assert [row["source"][-3:] for row in rows] == NAMES
    by = getpass.getuser()
    assert all(row["live"] and row["progress"]["paused"] and row["run"]["tables"] == 3
               and by in row["progress"]["steering"][0]["by"] for row in rows)
    out, _ = messina.run("status", *run.named)
    assert out.count(f"set        paused = yes for all tables by {by} ") == 3 and out.count("one of 3 tables: 3 running") == 3
    # Nothing but the pause keeps them from their end.
    run.sim.control("alternator", "faults", {"clear": True})
    wait_until("both stand", lambda: sum(t["phase"] == "paused" for t in run.pages()["progress"]) == 2)
    code, text = run.get("/healthz")
    assert code == 200 and "3 of them paused" in text

    # The last word counts: one goes on, and gives its turn to the third, which begins paused.
    run.events("resume", *run.one(run.first))
    wait_until("its end", lambda: run.pages()["tables_done"] == 1)
    wait_until("the third begins", lambda: run.table(run.queued)["phase"] == "paused")
    assert run.samples()["messina_done_ratio", run.first] == 1 and run.samples()["messina_phase", run.first, "done"] == 1
    # Without names it is the only process that runs, with all its tables.
    out, _ = messina.run("resume")
    assert re.match(r"resumed: 2 tables\n  tb\d  (resumed|copying|finishing|done)\n  tb\d  ", out), out
    run.finish()


def test_limits_of_one_table_and_of_all_together(run, messina):
    out, _ = messina.run("set", "rcu=70", *run.one(run.first))
    assert "of this table; all tables of its run together still: at most 2 writes at once" in out
    assert wait_until("the job has seen it", lambda: run.table(run.first)["read_budget_rcu_per_s"] == 70)
    assert values(run.table(run.second)) == {}

    *tables, _ = run.events("set", "rcu=9000", "concurrency=6", *run.named)
    assert all(values(event) == {"rcu": "9000", "concurrency": "6"} for event in tables)
    now = run.pages()
    assert now["read_budget_rcu_per_s"] == 9000 and now["write_concurrency"] == 6
    samples = run.samples()
    assert samples["messina_tables_read_budget_capacity_units_per_second", ""] == 9000
    assert samples["messina_tables_write_concurrency", ""] == 6
    assert samples["messina_set_by_hand", run.queued, "rcu"] == 1, "the one that waits for its turn, too"
    wait_until("each job has seen it", lambda: run.table(run.first)["read_budget_rcu_per_s"] == 9000 and run.table(run.second)["write_concurrency"] == 6)
    out, _ = messina.run("set", "rcu=auto", "concurrency=auto", *run.named)
    assert "all tables together: at most 2 writes at once" in out
    assert run.pages()["read_budget_rcu_per_s"] is None and run.pages()["write_concurrency"] == 2

    # A part of the run may be paused; what all share is not a part's.
    part = [*run.named[:-1], f"{run.first},{run.second}"]
    _, err = messina.run("set", "rcu=5", *part, expect=2)
    assert "runs 1 table more that was not named" in err
    *tables, all_of_them = run.events("pause", *part)
    assert len(tables) == 2 and all_of_them["to_come"] == 0
    assert {name for name in NAMES if run.table(name)["paused"]} == {run.first, run.second}
    run.events("resume", *part)
    run.finish()


def test_pages_say_what_the_events_say(run, messina):
    def same_numbers():
        """The run moves on between two looks: once it does not."""
        samples, status = run.samples(), run.pages()
        rows = {row["progress"]["table"]: row["progress"] for row in run.events("status")}
        pages = [(t["counts"]["pages"], samples["messina_pages_total", t["table"]], rows[t["table"]]["counts"]["pages"])
                 for t in status["progress"]]
        return (samples, status) if all(a == b == c for a, b, c in pages) else None

    samples, status = wait_until("three looks at the same pages", same_numbers)
    for table in status["progress"]:
        for field, metric in (("read_items", "items_read_total"), ("written_items", "items_written_total"), ("rcu", "read_capacity_units_total")):
            assert samples[f"messina_{metric}", table["table"]] == table["counts"][field]
    assert status["counts"]["written_items"] == sum(t["counts"]["written_items"] for t in status["progress"])
    assert samples["messina_tables", "", "running"] == status["tables_running"] == 3
    assert run.get("/nothing")[0] == 404
    events = run.finish()
    # The job's own events have the same fields.
    (sums, *_) = (event for event in events if event["event"] == "tables_progress")
    assert set(sums) <= set(status) and sums["tables"] == 3
    assert events[-1]["event"] == "tables" and {t["end"] for t in events[-1]["tables"]} == {"done"}


def test_a_sick_table_makes_the_run_sick(sims, messina):
    run = Run(sims(), messina, "--stalled-after", "500ms")
    code, text = wait_until("a stall", lambda: (lambda page: page if page[0] == 503 else None)(run.get("/healthz")))
    assert re.match(r"stalled: tb\d: nothing was settled for ", text)
    assert run.queued not in text, "who waits for its turn is not stalled"
    run.finish()


def test_how_each_table_ended_is_remembered(sims, messina):
    run = Run(sims(), messina)
    make_table(run.sim.alternator, "tb3", [("another", "S", "HASH")])
    make_table(run.sim.dynamodb, "tb3", KEY)
    run.stop()
    out, _ = messina.run("status", "--check", *run.named, expect=3)
    assert out.count("stopped: ") == 3 and out.count("the last run ended at ") == 3
    assert re.search(rf"/{run.queued}: nothing was copied yet; the last run ended at \S+: stopped before its turn came", out)
    rows = {row["source"][-3:]: row for row in run.events("status", *run.named)}
    assert all(rows[name]["last_end"]["exit_code"] == 3 for name in NAMES)

    run.sim.control("alternator", "faults", {"clear": True})
    again = [word if word != "tb*" else "tb*,gone" for word in run.args]
    messina.run(*again, expect=4)
    named = [*run.named[:-1], "tb?,never,gone"]
    out, _ = messina.run("status", "--check", *named, expect=4)
    assert out.count("done: ") == 3 and "needs a person: " in out
    assert re.search(r"stopped: \S+/gone to \S+: nothing was copied yet; the last run ended at .*mend that", out)
    assert re.search(r"not begun: \S+/never to ", out)
    assert [row["last_end"] for row in run.events("status", *run.named)][:3] == [None] * 3


def slow_preparation(sim, messina, rule):
    for name in NAMES:
        make_table(sim.dynamodb, name, KEY)
    sim.control("dynamodb", "faults", rule)
    return messina.start("copy", "dynamodb://us-east-1", f"alternator://{sim.alternator_addresses[0]}", "--json",
                         "--source-endpoint", f"http://{sim.dynamodb_address}", "--tables", ",".join(NAMES), "--order", "name")


def wait_for_fault(sim):
    wait_until("the request is there", lambda: any(rule["fired"] for rule in sim.control("dynamodb", "faults")["rules"]))


def test_a_stop_while_tables_are_prepared(sims, messina):
    """One signal ends it when what is on the wire has been answered."""
    sim = sims()
    process = slow_preparation(sim, messina, {"kind": "latency", "operation": "DescribeTable", "ms": 3000})
    wait_for_fault(sim)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 3, err
    last = json.loads(out.splitlines()[-1])
    assert {table["end"] for table in last["tables"]} <= {"stopped", "not begun"}
    assert sim.control("alternator", "stats")["tables"] == {}, "nothing was made"
    assert "not finished" not in err
    out, _ = messina.run("status", "--check", expect=3)
    assert "stopped before" in out


def test_a_second_signal_ends_it_at_once(sims, messina):
    sim = sims()
    process = slow_preparation(sim, messina, {"kind": "stall", "operation": "DescribeTable", "ms": 25000})
    wait_for_fault(sim)
    process.send_signal(signal.SIGINT)
    for line in process.stderr:
        if "a second Ctrl-C stops at once" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 3
