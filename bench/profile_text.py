"""Sums up what `perf report` prints: where the time goes by kind of work, and the largest single functions."""

import re

# The first that matches the line (thread, object, function) names the kind of work.
KINDS = [
    ("ledger's thread", r"^messina-ledger\b"),
    ("RocksDB's own threads: flushing and compacting", r"^rocksdb:"),
    ("the verification's thread", r"^messina-verific"),
    ("the spool's writing thread", r"^messina-spool-w\b"),
    ("the spool's reading thread", r"^messina-spool-r\b"),
    ("kernel: copying to and from sockets", r"_copy_(to|from)_iter"),
    ("kernel: zeroing fresh memory", r"clear_page"),
    ("kernel: all else", r"\[k\]|kernel\.kallsyms"),
    ("copying bytes in messina", r"__mem(move|cpy)_"),
    ("allocation", r"\bmalloc|_int_malloc|\bfree\b|cfree|_int_free|unlink_chunk|memalign|tcache|operator (new|delete)"),
    ("TLS and hashes (OpenSSL)", r"libcrypto|libssl"),
    ("CRC32", r"libdeflate"),
    ("finding items (simdjson, src/item)", r"libsimdjson|messina::item::"),
    ("Asio", r"(\] |\s)(boost::asio|std::_Function_handler.*asio)"),
    ("HTTP heads (Beast)", r"(\] |\s)boost::beast"),
    ("src/net", r"\[\.\] messina::net"),
    ("src/aws", r"\[\.\] messina::aws"),
    ("src/endpoints", r"\[\.\] messina::endpoints"),
    ("src/jobs", r"\[\.\] messina::jobs"),
    ("src/base", r"\[\.\] messina::"),
]


def read(text):
    """{"kinds": [(share, kind)…], "functions": [(share, function)…]}, shares in percent, largest first."""
    kinds, functions = {}, []
    for line in text.splitlines():
        found = re.match(r"\s*(\d+\.\d+)%\s+(\S.*)", line)
        if not found:
            continue
        share, rest = float(found.group(1)), found.group(2)
        kind = next((name for name, pattern in KINDS if re.search(pattern, rest)), "other")
        kinds[kind] = kinds.get(kind, 0.0) + share
        functions.append((share, re.sub(r"^.*?\[([k.])\]\s+", "", rest).strip()[:90]))
    return {"kinds": sorted(((round(s, 1), k) for k, s in kinds.items()), reverse=True),
            "functions": sorted(functions, reverse=True)[:12]}
