"""RESULTS.md from a run's figures."""

import itertools

MIB = 1 << 20
ITEMS_PER_CORE = 250_000
MEMORY_SLACK = 64 * MIB
SAME_MEMORY = 16 * MIB  # peaks that lie this close count as the same
LEDGER_SHARE = 0.01
NOT_SLOWER = 0.05  # the most that may be put down to the spread of the runs
BUSY_LOAD = 1.0  # a load average over this at the start: others' work is in the figures


def mark(ok):
    return "ok" if ok else "**missed**"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def render(results):
    m = results["machine"]
    lines = ["# What was measured", ""]
    lines += [f"`make bench` wrote this on {m['date']} at commit {m['commit']}"
              + (" (a quick run: fewer cases, smaller tables)." if results["quick"] else "."), ""]
    lines += [f"- Machine: {m['cpu']}, {m['cores']} cores{' of a virtual machine' if m['virtual'] else ''}, "
              f"{m['memory_gb']} GB, Linux {m['kernel']}; load average at the start {results['load']:.2f}",
              f"- Compiler: {m['compiler']}, {m['flags']}",
              f"- {results['runs']} runs of each figure, the median; the spread is largest minus smallest. messina "
              "(`--loops 1`) and the pump on one core, messina-sim on another; CPU seconds, user and system, from wait4."]
    for again in results.get("again", []):
        lines += ["", f"Measured again on {again['date']} at commit {again['commit']}, load average {again['load']:.2f}: "
                  + "; ".join(again["what"]) + "."]
    if results["load"] > BUSY_LOAD:
        lines += ["", "**The machine was busy with other work: a quiet one gives other figures.**"]
    lines += ["", "## The figures that were asked for", ""]
    lines += summary(results)
    if results.get("matrix"):
        lines += ["", "## CPU time of `messina copy` against the sum of its parts", ""]
        lines += matrix(results["matrix"])
    if results.get("ledger"):
        lines += ["", "## Ledger and segments", ""] + ledger(results["ledger"])
    if results.get("memory"):
        lines += ["", "## Memory", ""] + memory(results["memory"])
    if results.get("micro"):
        lines += ["", "## The pieces by themselves", "",
                  "Pages of 1 MB as DynamoDB counts them, in the nearest cache that holds them.", ""]
        lines += micro(results["micro"])
    return "\n".join(lines) + "\n"


def summary(results):
    rows = []
    for size, limit in ((140, 1.6), (1_000, 1.25), (10_000, 1.25), (100_000, 1.25)):
        cases = [r for r in results.get("matrix", []) if r["case"]["size"] == size]
        if cases:
            ratios = [r["ratio"] for r in cases]
            missed = sum(not r["ok"] for r in cases)
            rows.append((f"CPU ÷ parts, items of {size:,} B", f"at most {limit}",
                         f"{min(ratios):.2f} to {max(ratios):.2f}; {len(cases) - missed} of {len(cases)} cases within",
                         mark(missed == 0)))
    speed = [r["items_per_cpu_s"] for r in results.get("matrix", [])
             if r["case"]["size"] == 1_000 and not r["case"]["signed"] and not r["case"]["tls"]]
    if speed:
        rows.append(("Items per CPU second, 1 KB, unsigned, plain", f"at least {ITEMS_PER_CORE:,}",
                     " and ".join(f"{s:,.0f}" for s in speed), mark(min(speed) >= ITEMS_PER_CORE)))
    peaks = results.get("memory") or []
    if peaks:
        over = max(p["peak"] - p["budget"] for p in peaks)
        rows.append(("Peak memory over the budget", "at most 64 MiB", f"{over / MIB:+.0f} MiB", mark(over <= MEMORY_SLACK)))
        apart = max(abs(a["peak"] - b["peak"]) for a in peaks for b in peaks if a["budget"] == b["budget"])
        sizes = sorted({p["table_bytes"] for p in peaks})
        rows.append((f"Peak memory, {sizes[0] / 1e9:g} GB against {sizes[-1] / 1e9:g} GB table", "the same (within 16 MiB)",
                     f"{apart / MIB:.0f} MiB apart", mark(apart <= SAME_MEMORY)))
    if results.get("ledger"):
        few, many = results["ledger"]["16"], results["ledger"]["1000"]
        share = max(few["ledger_share"], many["ledger_share"])
        rows.append(("CPU of the ledger's thread", "under 1 %", f"{share:.2%}", mark(share < LEDGER_SHARE)))
        slower = results["ledger"].get("many_to_few", many["median_s"] / few["median_s"])  # by rounds
        spread = max(few["spread"], many["spread"])
        rows.append(("CPU with 1,000 segments ÷ with 16", "at most 1, within the spread (at most 5 %)",
                     f"{slower:.3f} (spread {spread:.1%})", mark(slower <= 1 + min(spread, NOT_SLOWER))))
    return table(("figure", "asked", "measured", ""), rows)


def matrix(cases):
    lines = [
        "*Pump*: moves the same requests and pages over as many connections, and nothing else; the one copy of the items' "
        "bytes from the page into contiguous requests is in it (messina saves it for large items that are neither signed nor encrypted), "
        "and so is TLS. *Split*: finding the items' spans in the pages. *CRC*: of the "
        "pages, where the server sends one. *SHA*: of the bodies that are signed. The ratio is copy ÷ (pump + split + CRC + "
        "SHA), CPU seconds all: the median of the rounds, each of which measured everything once.", ""]
    rows = []
    for r in cases:
        rows.append((r["name"], f"{r['copy_median_s']:.2f} ± {r['copy_spread'] / 2:.0%}",
                     f"{r['pump_median_s']:.2f} ± {r['pump_spread'] / 2:.0%}", f"{r['split_s']:.2f}", f"{r['crc32_s']:.2f}",
                     f"{r['sha256_s']:.2f}", f"{r['ratio']:.2f}", r["limit"], f"{r['items_per_cpu_s']:,.0f}", mark(r["ok"])))
    lines += table(("items", "copy s", "pump s", "split s", "CRC s", "SHA s", "ratio", "limit", "items per CPU s", ""), rows)
    for r in cases:
        if r["ok"] or not r.get("profile"):
            continue
        lines += ["", f"Where messina's time goes in “{r['name']}” (perf, cpu-clock, self time), by kind of work and by function:", ""]
        kinds, functions = r["profile"]["kinds"], r["profile"]["functions"]
        rows = [(f"{k[0]:.1f} %", k[1], f"{f[0]:.1f} %", f"`{f[1]}`")
                for k, f in itertools.zip_longest(kinds[:12], functions, fillvalue=(0.0, ""))]
        lines += table(("share", "kind of work", "share", "function"), rows)
    return lines


def ledger(results):
    rows = [(f"{int(segments):,}", f"{r['median_s']:.2f} ± {r['spread'] / 2:.0%}", f"{min(r['elapsed_s']):.2f}",
             f"{r['ledger_share']:.2%}") for segments, r in results.items() if segments != "many_to_few"]
    return table(("segments", "CPU s", "elapsed s", "ledger's thread, share of CPU"), rows)


def memory(peaks):
    rows = [(f"{p['budget'] // MIB} MiB", f"{p['table_bytes'] / 1e9:g} GB", f"{p['peak'] / MIB:.0f} MiB",
             mark(p["peak"] <= p["budget"] + MEMORY_SLACK)) for p in peaks]
    return table(("--memory", "table", "peak (VmHWM)", ""), rows)


def micro(benchmarks):
    rows = []
    for b in benchmarks:
        if b.get("run_type") == "aggregate":
            continue
        rate = f"{b['bytes_per_second'] / 1e6:,.0f} MB/s" if "bytes_per_second" in b else ""
        rows.append((b["name"], f"{b['cpu_time']:,.0f} {b['time_unit']}", rate))
    return table(("piece", "CPU time", "rate"), rows)
