"""The demos do what they show: each of their steps, and a comparison that would say it if the sides differed."""
import importlib.util
import pathlib
import subprocess
import sys

from conftest import load, make_table

DEMO = pathlib.Path(__file__).resolve().parent.parent.parent / "demo"


def test_the_live_demo_ends_equal(binaries):
    done = subprocess.run([sys.executable, DEMO / "live.py", binaries], text=True, timeout=300, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    for shown in ("have become", "Killed.", "changes were made while messina was down", "in step    yes", "in step: dynamodb",
                  "EQUAL: "):
        assert shown in done.stdout, done.stdout
    assert "\033" not in done.stdout, "colours without a terminal"


def test_the_live_demo_would_say_that_they_differ(sims, capsys):
    spec = importlib.util.spec_from_file_location("live_demo", DEMO / "live.py")
    live = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(live)
    sim = sims()
    key = [("customer", "S", "HASH"), ("order", "S", "RANGE")]
    orders = [live.new_order(live.random.Random(n), n) for n in range(20)]
    for side, items in ((sim.dynamodb, orders), (sim.alternator, orders)):
        make_table(side, "orders", key)
        load(side, "orders", items)
    assert live.compare(sim.dynamodb, sim.alternator)
    sim.alternator.put_item(TableName="orders", Item={**orders[3], "changes": {"N": "1"}})
    sim.alternator.delete_item(TableName="orders", Key=live.order_key(4))
    sim.alternator.put_item(TableName="orders", Item=live.new_order(live.random.Random(1), 21))
    capsys.readouterr()
    assert not live.compare(sim.dynamodb, sim.alternator)
    said = capsys.readouterr().out
    assert "differs in ['changes']" in said and "missing on the target" in said and "on the target only" in said


def test_the_copy_demo_moves_all_movies(binaries):
    done = subprocess.run([DEMO / "copy.sh", binaries], text=True, timeout=120, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0 and "  written   3,201 items\n" in done.stdout, done.stdout
