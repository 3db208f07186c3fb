"""--listen, status --check, and what docs/operate has for Prometheus and Grafana."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import urllib.error
import urllib.request

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from test_operation import slow_table
from test_steering import DEADLINE_S, Job, values, wait_until

OPERATE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "operate"


class Watched(Job):
    """A job with pages, whose port is free and said by a notice."""

    def __init__(self, sim, messina, *flags):
        super().__init__(sim, messina, "--listen", "127.0.0.1:0", *flags)

    def start(self):
        super().start()
        for line in self.process.stderr:
            found = re.search(r"listening on (http://127.0.0.1:\d+) ", line)
            if found:
                self.address = found[1]
                return
        pytest.fail("it does not say where it listens")

    def get(self, path, method="GET"):
        """(status, headers, text)"""
        request = urllib.request.Request(self.address + path, method=method)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def samples(self):
        """{(name, own label): value}, by another's parser."""
        found = {}
        for family in text_string_to_metric_families(self.get("/metrics")[2]):
            for sample in family.samples:
                labels = dict(sample.labels)
                assert labels.pop("table") == "orders"
                assert labels.pop("source").endswith("/us-east-1/orders")
                assert labels.pop("target").startswith("alternator://127.0.0.1:")
                found[sample.name, *labels.values()] = sample.value
        return found


@pytest.fixture
def watched(sims, messina):
    return Watched(sims(), messina)


def fill(pipe):
    """Writes into the pipe that is read at this end until it takes no more."""
    end = os.open(f"/proc/self/fd/{pipe.fileno()}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        for size in (4096, 1):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(end, b"\n" * size)
    finally:
        os.close(end)


def test_a_job_whose_output_nobody_reads_answers_all_the_same(watched, messina):
    fill(watched.process.stdout)
    fill(watched.process.stderr)
    # Each of these is a line for stderr.
    for concurrency in (2, 3, 4):
        messina.run("set", f"concurrency={concurrency}", timeout=DEADLINE_S)
    messina.run("pause", timeout=DEADLINE_S)
    messina.run("resume", timeout=DEADLINE_S)
    assert values(watched.status()["progress"])["concurrency"] == "4"
    assert watched.get("/healthz")[0] == 200
    assert values(json.loads(watched.get("/status")[2]))["concurrency"] == "4"
    # Whoever reads at last finds all of it.
    out, err = watched.finish()
    said = [json.loads(line)["message"] for line in err.splitlines() if line]
    for what in ("concurrency=2", "concurrency=3", "concurrency=4", "paused", "resumed"):
        assert sum(message.startswith(what + " by ") for message in said) == 1, said
    assert json.loads(out.splitlines()[-1])["event"] == "summary"


def test_pages_say_what_status_says(watched, messina):
    code, headers, text = watched.get("/metrics")
    assert code == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")

    def same_numbers():
        """The job moves on between two looks: once it does not."""
        samples = watched.samples()
        event = json.loads(watched.get("/status")[2])
        row = watched.status()["progress"]
        if not samples["messina_pages_total",] == event["counts"]["pages"] == row["counts"]["pages"]:
            return None
        return samples, event, row

    samples, event, row = wait_until("three looks at the same page", same_numbers)
    assert event["event"] == "progress"
    for field, metric in (("read_items", "items_read_total"), ("written_items", "items_written_total"),
                          ("rejected_items", "items_rejected_total"), ("read_bytes", "read_bytes_total"),
                          ("rcu", "read_capacity_units_total")):
        assert samples[f"messina_{metric}",] == event["counts"][field] == row["counts"][field]
    assert samples["messina_segments",] == event["units"] == row["units"]
    assert samples["messina_phase", "copying"] == 1 and event["phase"] == "copying"
    assert set(event) - {"event", "time"} == set(row)

    rows = re.findall(r"^\| `(messina_\w+)`", (OPERATE / "metrics.md").read_text(), re.M)
    # As the page says, of `migrate` only, and where there was a verification.
    live = rows[rows.index("messina_changes_captured_total"):rows.index("messina_spool_disk_full_in_seconds") + 1]
    verified = rows[rows.index("messina_verified"):rows.index("messina_verify_read_capacity_units") + 1]
    documented = set(rows) - set(live) - set(verified)
    exposed = set(re.findall(r"^# TYPE (\w+)", watched.get("/metrics")[2], re.M))
    assert exposed <= documented
    absent = {line.split("`")[1] for line in (OPERATE / "metrics.md").read_text().splitlines() if "; absent" in line}
    assert documented - exposed <= absent

    assert watched.get("/nothing")[0] == 404
    assert watched.get("/metrics", "POST")[0] == 405
    assert watched.get("/status", "HEAD")[2] == ""
    watched.finish()
    with pytest.raises(OSError):
        watched.get("/healthz")


def test_settings_reach_the_pages(watched, messina):
    messina.run("set", "rcu=8000", "concurrency=3")
    samples = wait_until("the job has taken them over", lambda: (lambda now: now if now["messina_write_concurrency",] == 3 else None)(watched.samples()))
    assert samples["messina_read_budget_capacity_units_per_second",] == 8000
    assert samples["messina_set_by_hand", "rcu"] == samples["messina_set_by_hand", "concurrency"] == 1
    messina.run("pause")
    assert watched.samples()["messina_paused",] == 1
    code, _, text = watched.get("/healthz")
    assert code == 200 and text.startswith("ok: paused by ")
    messina.run("resume")
    assert watched.samples()["messina_paused",] == 0
    messina.run("set", "rcu=auto", "concurrency=auto")
    wait_until("back to what it was started with", lambda: watched.samples()["messina_write_concurrency",] == 1)
    watched.finish()


def test_a_stall_is_seen_everywhere(sims, messina):
    watched = Watched(sims(), messina, "--stalled-after", "700ms")
    # A page takes many writes of 2 s each: none is settled meanwhile.
    code, _, text = wait_until("a stall", lambda: (lambda page: page if page[0] == 503 else None)(watched.get("/healthz")))
    assert text.startswith("stalled: nothing was settled for ") and "held by target latency" in text
    wait_until("cron sees it", lambda: messina.start("status", "--check", "--stalled-after", "700ms").wait(DEADLINE_S) == 3)
    out, _ = messina.run("status", "--check")
    assert out.startswith("running: "), "ten minutes is another matter"
    watched.finish()


def test_check_tells_how_a_job_stands(sims, messina):
    sim = sims()
    slow_table(sim, latency_ms=2000)
    job = Job.__new__(Job)
    job.sim, job.messina = sim, messina
    job.args = messina.copy_args(sim, "orders", "--json", "--write-concurrency", 1)
    job.start()
    assert messina.run("status", "--check")[0].startswith("running: ")
    job.stop()
    out, _ = messina.run("status", "--check", expect=3)
    assert out.startswith("stopped: ") and "stopped before the end" in out
    job.start()
    job.process.kill()
    job.process.communicate(timeout=DEADLINE_S)
    out, _ = messina.run("status", "--check", expect=3)
    assert "the last run was killed" in out
    sim.control("alternator", "faults", {"clear": True})
    messina.run(*job.args, "--dead-after", "300ms", "--clock-error", "50ms")
    assert messina.run("status", "--check")[0].startswith("done: ")


def test_a_port_that_is_taken_is_an_error_before_anything_is_done(watched, messina, sims):
    port = watched.address.rsplit(":", 1)[1]
    other = sims()
    slow_table(other, count=10, latency_ms=1)
    _, err = messina.run(*messina.copy_args(other, "orders", "--listen", f"127.0.0.1:{port}"), expect=2)
    assert f"cannot listen on 127.0.0.1:{port}" in err
    assert other.alternator.list_tables()["TableNames"] == []
    watched.finish()


def expressions():
    """Those of the alerts and of the dashboard, by where they stand."""
    rules = yaml.safe_load((OPERATE / "alerts.yaml").read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        yield rule["alert"], rule["expr"]
    for panel in json.loads((OPERATE / "dashboard.json").read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def test_alerts_and_dashboard_are_well_formed(tmp_path):
    """Their metrics' names are held to the program's by src/console/metrics_docs_test.cc."""
    found = list(expressions())
    assert len(found) > 20
    for where, expression in found:
        assert re.search(r"messina_\w+", expression), where
    panels = json.loads((OPERATE / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for rule in yaml.safe_load((OPERATE / "alerts.yaml").read_text())["groups"][0]["rules"]:
        assert rule["annotations"]["summary"] and rule["annotations"]["description"] and rule["labels"]["severity"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
def test_promtool_agrees(tmp_path):
    shutil.copy(OPERATE / "alerts.yaml", tmp_path)
    shutil.copy(pathlib.Path(__file__).parent / "alerts_test.yaml", tmp_path)
    records = [{"record": f"dashboard:{i}", "expr": e.replace("$__rate_interval", "1m").replace("$source", ".*").replace("$table", ".*")}
               for i, (_, e) in enumerate(expressions())]
    (tmp_path / "dashboard.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}))
    subprocess.run(["promtool", "check", "rules", "alerts.yaml", "dashboard.yaml"], cwd=tmp_path, check=True)
    subprocess.run(["promtool", "test", "rules", "alerts_test.yaml"], cwd=tmp_path, check=True)


def test_trouble_quotes_what_the_program_says():
    """Each text in the first column of docs/operate/trouble.md stands in the sources."""
    root = OPERATE.parent.parent
    text = "\n".join(path.read_text() for path in (root / "src").rglob("*.cc") if not path.stem.endswith("_test"))
    text = re.sub(r'"\s*\n?\s*"', "", text).replace('\\"', '"')
    quoted = re.findall(r"^\| `(.*?)`", (OPERATE / "trouble.md").read_text(), re.M)
    assert len(quoted) > 30
    for quote in quoted:
        if quote.startswith("held by "):
            assert f'"{quote.removeprefix("held by ")}"' in text, quote
            continue
        for part in filter(None, re.split(r" ?… ?", quote)):
            assert part.strip() in text, f"{quote}: {part}"
