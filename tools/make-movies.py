#!/usr/bin/env python3
"""Makes demo/movies.jsonl (DynamoDB JSON, an item a line) from vega-datasets' data/movies.json.

    tools/make-movies.py path/to/movies.json > demo/movies.jsonl

The key is `id` (the row's number) and nothing is left out: JSON null becomes NULL, numbers stay as they are written.
"""
import decimal
import json
import sys


def value(v):
    if v is None:
        return {"NULL": True}
    if isinstance(v, str):
        return {"S": v}
    return {"N": str(v)}


with open(sys.argv[1], encoding="utf-8") as source:
    rows = json.load(source, parse_float=decimal.Decimal)
for number, row in enumerate(rows, start=1):
    item = {"id": {"N": str(number)}}
    item.update((name, value(v)) for name, v in row.items())
    print(json.dumps(item, ensure_ascii=False, separators=(",", ":")))
