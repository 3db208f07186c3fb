"""RESULTS-live.md from the figures of bench/live.py."""

import itertools
import time

from report import BUSY_LOAD, MIB, mark, table

CAPTURE_SHARE, APPLY_RATIO, SLOWER, HOT_WRITES = 0.70, 1.25, 0.10, 20
SECONDS_HELD = 60  # "seconds, not hours"
MEDIAN_LAG_S, WORST_LAG_S = 1.0, 3.0
WRITER_REACHES = 0.97  # of the rate that it was told
MEMORY_SLACK = 256 * MIB


def lag_holds(row):
    return (not row["unseen"] and row["median_s"] < MEDIAN_LAG_S and row["worst_s"] < WORST_LAG_S
            and row["per_s"] >= WRITER_REACHES * row["rate"])


def highest_that_held(rows):
    held = list(itertools.takewhile(lag_holds, rows))
    return held[-1] if held else None


def share_met(results):
    return results["capture"]["share"] >= CAPTURE_SHARE


def ratio_met(results):
    return results["apply"]["ratio"] <= APPLY_RATIO


def summary(results):
    rows = []
    if c := results.get("capture"):
        rows.append(("Capture as a job, events of 1 KB a second ÷ a bare RocksDB loop's", f"at least {CAPTURE_SHARE:.0%}",
                     f"{c['share']:.0%}: {c['per_s']:,.0f} of {c['bare_per_s']:,.0f}", mark(share_met(results))))
    if a := results.get("apply"):
        rows.append(("CPU of apply ÷ its parts", f"at most {APPLY_RATIO}", f"{a['ratio']:.2f}", mark(ratio_met(results))))
    for b in results.get("beside", []):
        rows.append((f"Copy slows with changes beside it, {b['name']}", f"at most {SLOWER:.0%}", f"{b['slower']:.1%}",
                     mark(b["slower"] <= SLOWER)))
    if w := results.get("window"):
        rows.append((f"Age of the oldest change in the spool while a copy runs for {w['seconds']} s", "seconds",
                     f"{w['oldest_median']:.1f} s, at most {w['oldest_most']:.1f} s", mark(w["oldest_most"] <= SECONDS_HELD)))
    if h := results.get("hot"):
        rows.append(("Writes that a key costs the target, written 10,000 times in 1 s, 50 ms a write", f"at most {HOT_WRITES}",
                     h["writes"], mark(h["writes"] <= HOT_WRITES)))
    if rows_of_lag := results.get("lag"):
        best = highest_that_held(rows_of_lag)
        text = "none of the rates holds" if best is None else (
            f"{best['median_s']:.2f} s and {best['worst_s']:.2f} s at {best['rate']:,} changes/s")
        rows.append(("Lag over 300 shards at the highest steady rate, median and worst",
                     f"under {MEDIAN_LAG_S:g} s and {WORST_LAG_S:g} s", text, mark(best is not None)))
    if peaks := results.get("memory"):
        over = max(p["peak"] - p["budget"] for p in peaks)
        rows.append((f"Peak memory over --memory while {peaks[0]['keys']:,} keys wait", f"at most {MEMORY_SLACK // MIB} MiB",
                     f"{over / MIB:+.0f} MiB", mark(over <= MEMORY_SLACK)))
    return table(("figure", "asked", "measured", ""), rows)


def threads_table(threads, count):
    """Of CPU seconds by thread."""
    rows = [(f"`{name}`", f"{used:.2f}", f"{used / count * 1e6:.2f}") for name, used in sorted(threads.items(), key=lambda e: -e[1])
            if used >= 0.01]
    return table(("thread", "CPU s", "µs each"), rows)


def profile_table(profile):
    rows = [(f"{k[0]:.1f} %", k[1], f"{f[0]:.1f} %", f"`{f[1]}`")
            for k, f in itertools.zip_longest(profile["kinds"][:12], profile["functions"], fillvalue=(0.0, ""))]
    return ["", "Where messina's time goes (perf, cpu-clock, self time), by kind of work and by function:", "",
            *table(("share", "kind of work", "share", "function"), rows)]


def capture(c):
    lines = [
        f"`messina capture` reads {c['events']:,} events of 1 KB (half of it does not compress) from a stream of {c['shards']} shards, "
        "polls, parses, merges and commits them, synced. It shares the machine's cores with messina-sim, which renders the records; "
        "the bare loop, run in turns with it, has them for itself: WriteBatches of 1,000 keys and images of that size, synced, "
        "RocksDB's default options. RESULTS-spool.md has the spool alone, and with 20 GB in it.", ""]
    lines += table(("", "events/s", "CPU µs each"), [
        ("bare RocksDB loop", f"{c['bare_per_s']:,.0f}", f"{c['bare_cpu_us']:.1f}"),
        ("capture", f"{c['per_s']:,.0f}", f"{c['cpu_us']:.1f}"),
        ("messina-sim meanwhile", "", f"{c['sim_us']:.1f}")])
    lines += ["", "Of the last run's capture:", ""] + threads_table(c["threads"], c["events"])
    return lines + (profile_table(c["profile"]) if c.get("profile") else [])


def apply(a):
    lines = [
        f"{a['keys']:,} keys of 1 KB wait in the spool; `messina apply --loops 1` writes them in batches of 100, unsigned, to messina-sim's "
        "bench mode. *Requests*: bench_writes sends as many bytes in as many requests over as many connections, and nothing else; there "
        "is no page to split or check, and nothing is signed. *Spool*: bench_spool takes the same entries and settles them. The ratio is "
        "apply ÷ (requests + spool), CPU seconds all, the median of rounds. `--clock-error 10ms`: with the default of 1 s a key is held so "
        "long after its write, and as at most 65,536 keys are held, throughput ends at 65,536 keys/s; CPU is not what bounds it then.", ""]
    lines += table(("apply s", "requests s", "spool s", "ratio", "keys/s"), [
        (f"{a['cpu_s']:.2f}", f"{a['writes_s']:.2f}", f"{a['spool_s']:.2f}",
         f"{a['ratio']:.2f} ({', '.join(f'{r:.2f}' for r in a['ratios'])})", f"{a['per_s']:,.0f}")])
    lines += ["", f"With `--clock-error 1s`: {a['held_per_s']:,.0f} keys/s. Of the last run:", ""] + threads_table(a["threads"], a["keys"])
    return lines + (profile_table(a["profile"]) if a.get("profile") else [])


def beside(rows):
    lines = ["Items of 1 KB a second that reach the target, by `messina copy` alone, and by `messina migrate` while a writer puts "
             "random keys of 1 KB. At the fixed budget of the first line, with 20 ms a write, nothing is short of CPU, as beside a real "
             "table; in the second one all of it, the writer and the simulator share the machine's cores.", ""]
    return lines + table(("setting", "alone, items/s", "with changes", "slower", "changes/s", "applied meanwhile"), [
        (b["name"], f"{b['alone']['per_s']:,.0f}", f"{b['beside']['per_s']:,.0f}", f"{b['slower']:.1%}", f"{b['changes']:,}",
         f"{b['beside']['applied']:,}") for b in rows])


def window(w):
    return [f"`messina migrate --read-rcu {w['rcu']}`, 20 ms a write, {w['changes']:,} puts a second of random keys; read off its progress "
            "every second.", "",
            *table(("", "median", "most"), [
                ("keys that wait (at most)", f"{w['keys_median']:,.0f}", f"{w['keys_most']:,}"),
                ("age of the oldest change, s", f"{w['oldest_median']:.1f}", f"{w['oldest_most']:.1f}")]), "",
            "A change waits for the pages that were asked for before it, and a page counts as landed when more than `--clock-error` "
            "(1 s) has passed since its answer; times of changes are whole seconds, so up to one of these is rounding."]


def hot(h):
    return [f"10,000 puts of one key within {h['took_s']:.2f} s, in one shard, which gives 5,000 records a second at most; BatchWriteItem "
            f"takes 50 ms. The target saw {h['writes']} writes, and the last state {h['arrived_s']:.1f} s after the first put."]


def lag(rows):
    lines = ["`messina migrate` follows 300 shards; a writer puts random keys (of a million, 200 bytes) at a steady rate. Twenty items a "
             "second are marked: they are looked for at the target every 10 ms, and count from before their write was sent. *Told* is the "
             "longest `lag_s` of messina's own progress, whose times of changes are whole seconds. All processes share two cores; in "
             "brackets, cores by thread.", ""]
    lines += table(("changes/s", "reached", "median s", "99 % s", "worst s", "told s", "messina", "messina-sim", ""), [
        (f"{r['rate']:,}", f"{r['per_s']:,}", f"{r['median_s']:.2f}", f"{r['p99_s']:.2f}", f"{r['worst_s']:.2f}", f"{r['told_s']:.1f}",
         cores(r["used"]["messina"]), cores(r["used"]["messina-sim"]), "holds" if lag_holds(r) else "breaks") for r in rows])
    return lines + ["", bound(rows)]


def cores(used):
    return f"{sum(used.values()):.2f} (" + ", ".join(f"{name} {share:.2f}" for name, share in list(used.items())[:4]) + ")"


def bound(rows):
    last = rows[-1]
    if lag_holds(last):
        return "The highest rate that was tried holds."
    total = sum(last["used"]["messina"].values()) + sum(last["used"]["messina-sim"].values())
    what = "" if last["per_s"] >= WRITER_REACHES * last["rate"] else " The simulator no longer takes so many writes."
    return (f"What bounds it: at {last['rate']:,} changes/s messina and messina-sim use {total:.2f} of two cores, the writer and whatever "
            f"else ran on the machine the rest.{what}")


def memory(peaks):
    return [f"{peaks[0]['keys']:,} keys with images of 100 bytes wait in the spool, and the target is slow (50 ms a write) or answers "
            "nothing. What messina counts is an upper bound.", "",
            *table(("", "--memory", "keys that wait, as messina counts", "peak (VmHWM)"), [
                (p["name"], f"{p['budget'] // MIB} MiB", f"{p['waiting']:,}", f"{p['peak'] / MIB:.0f} MiB") for p in peaks])]


SECTIONS = [("capture", "Capture as a job", capture), ("apply", "CPU time of `messina apply` against the sum of its parts", apply),
            ("beside", "Copy with changes beside it", beside), ("window", "What the spool holds while a copy runs", window),
            ("hot", "A hot key", hot), ("lag", "Lag", lag), ("memory", "Memory", memory)]


def render(results):
    m = results["machine"]
    lines = ["# Live migration", "",
             f"Made by `python3 bench/live.py` on {time.strftime('%Y-%m-%d')} at commit {m['commit']}: {m['cpu']}, {m['cores']} cores, "
             f"{m['memory_gb']} GB; load average at the start {results['load']:.2f}. messina-sim is source and target; its streams have "
             "DynamoDB's limits (5 GetRecords a second of a shard)."]
    if results["load"] > BUSY_LOAD:
        lines += ["", "**The machine was busy with other work: a quiet one gives other figures.**"]
    lines += ["", "## The figures that were asked for", ""] + summary(results)
    for name, title, section in SECTIONS:
        if results.get(name):
            lines += ["", f"## {title}", ""] + section(results[name])
    return "\n".join(lines) + "\n"
