"""Faults on both sides and kill -9 at random moments, many times over: in the end the tables are equal.

MESSINA_CHAOS_RUNS sets how many runs (10), MESSINA_CHAOS_SEED the first seed (random, printed). A run is repeated by its
seed alone: MESSINA_CHAOS_SEED=7 MESSINA_CHAOS_RUNS=1. What the seed cannot fix is the machine's own timing.
"""
import os
import random
import signal
import subprocess

import pytest

import oracle
from conftest import load, make_table
from datasets import GENERATED_KEY, generated
from test_copy import counted

RUNS = int(os.environ.get("MESSINA_CHAOS_RUNS", "10"))
# Drawn once for all of pytest's worker processes, so in the environment.
FIRST_SEED = int(os.environ.setdefault("MESSINA_CHAOS_SEED", str(random.SystemRandom().randrange(10**9))))

LANDS_LATE_MS = 700
SKEW_MS = 40
# D and S of the protocol, scaled down to what the simulator does here: late writes land within 0.7 s of their cut.
TIMES = ["--dead-after", "1500ms", "--clock-error", "100ms"]

READ_FAULTS = [
    {"kind": "throttle_table", "operation": "Scan", "probability": 0.05},
    {"kind": "throttle_key_range", "operation": "Scan", "probability": 0.02},
    {"kind": "error_before", "operation": "Scan", "probability": 0.03},
    {"kind": "cut_before", "operation": "Scan", "probability": 0.03},
    {"kind": "wrong_crc", "operation": "Scan", "probability": 0.02},
    {"kind": "truncated", "operation": "Scan", "probability": 0.02},
    {"kind": "latency", "operation": "Scan", "probability": 0.1, "ms": 50},
]
WRITE_FAULTS = [
    {"kind": "throttle_table", "operation": "BatchWriteItem", "probability": 0.05},
    {"kind": "error_before", "operation": "BatchWriteItem", "probability": 0.01},
    {"kind": "error_after", "operation": "BatchWriteItem", "probability": 0.01},
    {"kind": "partial", "operation": "BatchWriteItem", "probability": 0.01},
    {"kind": "cut_before", "operation": "BatchWriteItem", "probability": 0.01},
    {"kind": "cut_after", "operation": "BatchWriteItem", "probability": 0.01},
    {"kind": "cut_late", "operation": "BatchWriteItem", "probability": 0.02, "ms": LANDS_LATE_MS},
    {"kind": "latency", "operation": "BatchWriteItem", "probability": 0.1, "ms": 30},
]


@pytest.mark.parametrize("run", range(RUNS))
def test_equal_after_faults_and_kills(sims, messina, run):
    seed = FIRST_SEED + run
    print(f"MESSINA_CHAOS_SEED={seed} MESSINA_CHAOS_RUNS=1")
    rng = random.Random(seed)
    sim = sims("--dynamodb", 0, "--alternator", 0, "--seed", seed, f"--skew-ms={rng.randint(-SKEW_MS, SKEW_MS)}")
    make_table(sim.dynamodb, "chaos", GENERATED_KEY)
    count = load(sim.dynamodb, "chaos", generated(seed, rng.randint(1500, 4000)))
    for rule in rng.sample(READ_FAULTS, rng.randint(2, len(READ_FAULTS))):
        sim.control("dynamodb", "faults", rule)
    for rule in rng.sample(WRITE_FAULTS, rng.randint(3, len(WRITE_FAULTS))):
        sim.control("alternator", "faults", rule)
    # A small table may be through before any of the draws above comes true.
    sim.control("alternator", "faults", {"kind": "cut_late", "operation": "BatchWriteItem", "count": 1, "ms": LANDS_LATE_MS})

    args = messina.copy_args(sim, "chaos", "--json", "--segments", rng.choice([1, 5, 40]), *TIMES)
    kills = rng.randint(1, 4)
    for _ in range(kills):
        process = messina.start(*args)
        try:
            out, err = process.communicate(timeout=rng.uniform(0.02, 2.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            out, err = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), f"exit {process.returncode}\n{out}\n{err}"

    out, _ = messina.run(*args, timeout=240)
    read, written, rejected = counted(out)
    assert (read, rejected) == (written, 0)

    fired = {side: sim.control(side, "faults")["fired"] for side in ("dynamodb", "alternator")}
    assert fired["alternator"]["cut_late"] >= 1, "no fault fired: nothing was tested"
    for side in fired:
        sim.control(side, "faults", {"clear": True})
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, "chaos") == count


def test_a_twin_that_lands_late_does_not_win(sims, messina):
    """A batch is cut and lands later; messina must not call the table done before the twin is dead (rule 1)."""
    sim = sims("--dynamodb", 0, "--alternator", 0, "--seed", 3)
    make_table(sim.dynamodb, "late", [("id", "N", "HASH")])
    count = load(sim.dynamodb, "late", ({"id": {"N": str(i)}, "v": {"S": "x"}} for i in range(100)))
    sim.control("alternator", "faults", {"kind": "cut_late", "operation": "BatchWriteItem", "count": 1, "ms": LANDS_LATE_MS})
    messina.run(*messina.copy_args(sim, "late", *TIMES))
    stats = sim.control("alternator", "stats")
    assert sim.control("alternator", "faults")["fired"]["cut_late"] == 1
    assert stats["late_writes_done"] == 1, "the twin had not landed when messina said done"
    assert oracle.assert_equal(sim.dynamodb, sim.alternator, "late") == count
