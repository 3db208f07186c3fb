"""Items to move, as DynamoDB JSON: real ones and generated ones that use everything the data model has."""
import base64
import decimal
import json
import random


def _value(v):
    if v is None:
        return {"NULL": True}
    if isinstance(v, bool):
        return {"BOOL": v}
    if isinstance(v, str):
        return {"S": v}
    return {"N": str(v)}


def rows_of(path, key="id", limit=None):
    """A JSON file with a list of flat rows -> items keyed by their number."""
    with open(path, encoding="utf-8") as file:
        rows = json.load(file, parse_float=decimal.Decimal)
    for number, row in enumerate(rows[:limit], start=1):
        yield {key: {"N": str(number)}, **{name: _value(v) for name, v in row.items()}}


def _text(rng, size):
    alphabet = "abc XYZ0189-_\"\\/\n\t\u0000\u001fäßñ€漢字😀\u2028"
    return "".join(rng.choice(alphabet) for _ in range(size))


def _number(rng):
    digits = rng.choice([1, 3, 17, 37, 38])
    mantissa = str(rng.randrange(10 ** (digits - 1), 10**digits))
    exponent = rng.choice([0, 0, -5, 5, -130 + digits, 125 - digits])
    sign = rng.choice(["", "-"])
    return rng.choice([f"{sign}{mantissa}E{exponent}", f"{sign}{mantissa}", "0", "1E-130",
                       "9.9999999999999999999999999999999999999E+125"])


def _binary(rng, size):
    return base64.b64encode(rng.randbytes(size)).decode()


def _any(rng, depth):
    kind = rng.choice(["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS"] + (["L", "M"] * 2 if depth > 0 else []))
    if kind == "S":
        return {"S": _text(rng, rng.choice([0, 1, 20, 300]))}
    if kind == "N":
        return {"N": _number(rng)}
    if kind == "B":
        return {"B": _binary(rng, rng.choice([0, 1, 2, 3, 100]))}
    if kind == "BOOL":
        return {"BOOL": rng.random() < 0.5}
    if kind == "NULL":
        return {"NULL": True}
    if kind == "SS":
        return {"SS": sorted({_text(rng, n) for n in range(rng.randint(1, 5))})}
    if kind == "NS":
        return {"NS": [str(n) for n in {rng.randrange(10**9) for _ in range(rng.randint(1, 5))}]}
    if kind == "BS":
        return {"BS": sorted({_binary(rng, n) for n in range(1, 1 + rng.randint(1, 4))})}
    if kind == "L":
        return {"L": [_any(rng, depth - 1) for _ in range(rng.randint(0, 4))]}
    return {"M": {_text(rng, rng.randint(1, 8)): _any(rng, depth - 1) for _ in range(rng.randint(0, 4))}}


def _nested(levels):
    value = {"S": "bottom"}
    for level in range(levels):
        value = {"L": [value]} if level % 2 else {"M": {"down": value}}
    return value


def generated(seed, count):
    """Items with partition key `p` (S) and sort key `s` (N); all ten types, empty values, the limits, odd names."""
    rng = random.Random(seed)
    for number in range(count):
        item = {"p": {"S": f"partition {number % max(1, count // 7)} ä€😀"}, "s": {"N": str(number)}}
        for _ in range(rng.randint(0, 8)):
            item[_text(rng, rng.randint(1, 12))] = _any(rng, 3)
        yield item
    special = [
        {"Items": {"L": [{"M": {"LastEvaluatedKey": {"S": "x"}}}]}, "LastEvaluatedKey": {"M": {"p": {"S": "no"}}},
         "ConsumedCapacity": {"N": "7"}, "Count": {"N": "0"}},
        {"deep": _nested(32)},
        {"big": {"S": "x" * (400 * 1024 - 200)}},
        {"bigger": {"B": _binary(rng, 300 * 1024)}},
        {"empty string": {"S": ""}, "empty binary": {"B": ""}, "empty list": {"L": []}, "empty map": {"M": {}}},
        {"naïve 漢字 😀": {"S": "ü"}, "a\"b\\c": {"S": "\u0000"}, "{\"S\":\"x\"}": {"S": "],[{}"}},
        {"max": {"N": "9.9999999999999999999999999999999999999E+125"}, "min": {"N": "1E-130"},
         "digits": {"N": "12345678901234567890123456789012345678"}, "neg": {"N": "-1E-130"}},
    ]
    for number, attributes in enumerate(special):
        yield {"p": {"S": "special"}, "s": {"N": str(-1 - number)}, **attributes}


GENERATED_KEY = [("p", "S", "HASH"), ("s", "N", "RANGE")]
ROWS_KEY = [("id", "N", "HASH")]
