#!/usr/bin/env python3
"""Fails on an include that the rooms' table in ARCHITECTURE.md does not allow.

The table is read from the document itself, so the two cannot drift apart. Also checked: libraries that must stay behind
a room's own types (RULES below).

    tests/layering.py            check the tree
    tests/layering.py --self-test   check that a forbidden include is found
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| `(src/[a-z/]+|sim/)` \|([^|]*)\|([^|]*)\|$", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)
# Library header prefix -> (where it may be included, why)
RULES = {
    "boost/beast": (r"src/net/[^/]*\.cc$", "Beast costs 20 s of compile time a file: it stays behind src/net's types"),
    "simdjson": (r"(src|sim)/.*\.cc$|(bench|fuzz|tests)/", "simdjson stays out of headers"),
    "rocksdb": (r"src/state/([^/]*\.cc|power_cut_env\.h)$", "RocksDB stays behind src/state's types"),
    "sqlite3": (r"src/state/[^/]*\.(cc|h)$", "SQLite stays behind src/state's types"),
}


def allowed_rooms():
    """room -> the set of rooms it may include, its own and the transitive ones among them."""
    direct = {}
    for folder, _, uses in ROW.findall((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")):
        room = folder.removeprefix("src/").rstrip("/")
        direct[room] = None if uses.strip() == "all" else set(re.findall(r"`([a-z/]+)`", uses))
    closed = {}
    for room, uses in direct.items():
        seen, queue = {room}, list(direct if uses is None else uses)
        while queue:
            used = queue.pop()
            if used not in direct:
                sys.exit(f"ARCHITECTURE.md: room {room} may use {used}, which has no row")
            if used not in seen:
                seen.add(used)
                queue += direct[used] or []
        closed[room] = seen
    return closed


def room_of(path, rooms):
    """The longest room that contains this path (src/cql/wire before src/cql)."""
    path = path.removeprefix("src/")
    return max((r for r in rooms if path.startswith(r + "/")), key=len, default=None)


def violations(path, text, rooms):
    room = room_of(path, rooms)
    for quoted, angled in INCLUDE.findall(text):
        name = quoted or angled
        for prefix, (where, why) in RULES.items():
            if name.startswith(prefix) and not re.match(where, path):
                yield f"{path}: includes <{name}>: {why}"
        if not quoted or room is None:
            continue
        target = room_of(name, rooms)
        if target is None:
            yield f'{path}: includes "{name}", which is in no room of ARCHITECTURE.md: write "room/file.h"'
        elif target not in rooms[room]:
            yield f'{path}: room {room} may not include "{name}" (ARCHITECTURE.md, Rooms)'


def self_test(rooms):
    cases = [
        ("src/base/x.h", '#include "net/http.h"', True),
        ("src/jobs/x.cc", '#include "net/http.h"', False),
        ("src/item/x.cc", '#include "base/error.h"', False),
        ("src/pace/x.cc", '#include "item/key.h"', True),
        ("src/aws/x.cc", "#include <boost/beast/http.hpp>", True),
        ("src/item/x.h", "#include <simdjson.h>", True),
        ("src/state/x.cc", '#include "jobs/copy.h"', True),
    ]
    return [f"self-test: {path}: {text}: expected {'a' if bad else 'no'} violation"
            for path, text, bad in cases if bool(list(violations(path, text, rooms))) != bad]


def main():
    rooms = allowed_rooms()
    found = self_test(rooms)
    if "--self-test" not in sys.argv:
        files = sorted(p for top in ("src", "sim") for p in (ROOT / top).rglob("*") if p.suffix in (".h", ".cc", ".ipp"))
        for path in files:
            found += violations(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"), rooms)
        print(f"layering: {len(files)} files, {len(rooms)} rooms, {len(found)} violations")
    for line in found:
        print(line, file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
