"""JSON drawn from a schema: values that fit it, that nearly fit it, and that do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.rules.drawn import JSON, TEXT

Schema = Mapping[str, Any]

TEXTS: dict[str, list[str]] = {
    "date-time": ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00", "2026-02-30T00:00", "2026-01-02 03:04",
                  "2026-01-02T03:04:05.123456789+00:53:28",
                  "2026-01-02T23:59:60Z", "2026-01-02t03:04:05.1z", "2026-01-02", "1767322800", "0000-01-01T00:00:00Z",
                  "2026-01-02T03:04:05-23:59", "2026-01-02_03:04:05", "2026-01-02T03:04:05.1234567Z", "2026-01-02T24:00"],
    "date": ["2026-01-02", "2026-02-30", "20260102", "2026-W01-1", "0000-01-01", "2026-01-02T00:00:00", "0", "2026-01-02\n"],
    "time": ["03:04", "03:04:05Z", "24:00", "03:04:05.1", "03:04:05+00:53:28", "03", "0304", "23:59:60", "03:04:05.1234567"],
    "duration": ["P1D", "PT5M", "P", "PT", "P1Y2M3W", "-PT0.5S", "P999999999D", "P9999999999D", "1:02:03", "5", "P1DT24H",
                 "PT1H2S", "P999999999DT24H", "P0.5D"],
    "iso-duration": ["P1D", "PT5M", "P", "-P999999999D", "-P999999999DT1S", "P999999999DT24H", "PT0.5S", "P1Y"],
    "uuid": ["00000000-0000-0000-0000-000000000005", "{00000000-0000-0000-0000-000000000005}", "0" * 32,
             "urn:uuid:00000000-0000-0000-0000-000000000005", "00000000-0000-0000-0000-00000000000g",
             "00000000-0000-4000-8000-00000000000A", "0000000-00000-0000-0000-000000000005",
             "00000000-0000-0000-0000-0000000000-5"],
    "uri": ["https://example.com/a?b=1", "HTTP://EXAMPLE.com", "http:x", "http://", "mailto:a@b.example", "redis://h:6379/0",
            "redis://", "wss://h", "://", "x", "", "http://[::1", " https://example.com", "http://a b", "https://exämple.com", "file:///a"],
    "ipv4": ["127.0.0.1", "127.0.0.01", "256.0.0.1", "1", "127.0.0.1/8", "\u0661.1.1.1"],
    "ipv6": ["::1", "fe80::1%eth0", "1:2", "::ffff:1.2.3.4"],
    "network": ["10.0.0.0/8", "10.0.0.1/8", "10.0.0.0", "::/0", "10.0.0.0/33", "10.0.0.0/255.0.0.0"],
    "decimal": ["1.50", "-0", "NaN", "Infinity", "1e5", "0.05", "0.1", "99.99", "100", "\u0663", "1_0", " 1", "12345.6", "1e-30",
                "x", "1E+999999999", "."],
    "base64": ["eA==", "eA", "e", "eA==\n", "_-==", "eB=="],
    "regex": ["^a$", "(", r"\p{L}"],
    "": ["ab", "AB", "ab\n", "b", "é1", "é\u0661", "x", "x\n", "abc", "abcde", "kx", "k", "1", "-1", "1.5", "1_0",
         "true", "red", "s", ""],
}  # fmt: skip
ALIKE = {
    "uuid4": "uuid",
    "ipvanyaddress": "ipv6",
    "ipvanynetwork": "network",
    "ipv4network": "network",
    "ipv6interface": "network",
}
ANY_TEXT = st.sampled_from([text for texts in TEXTS.values() for text in texts]) | TEXT
NUMBERS = st.sampled_from(
    [
        0,
        1,
        2,
        3,
        6,
        9,
        7,
        -1,
        1.0,
        3.0,
        0.0,
        -0.0,
        0.05,
        0.1,
        0.15,
        1.5,
        1e20,
        1e300,
        2.5,
        10**19,
        10**25,
        10**400,
        99.99,
    ]
)
SCALARS = NUMBERS | ANY_TEXT | st.none() | st.booleans()


def values(schema: Schema) -> st.SearchStrategy[Any]:
    """Return the strategy of values for a schema: most fit it except in one or two places."""
    return _of(schema, schema, 6) | _of(schema, schema, 6) | JSON | SCALARS


def _of(part: Any, root: Schema, depth: int) -> st.SearchStrategy[Any]:
    if not isinstance(part, Mapping) or depth == 0:
        return SCALARS
    if "$ref" in part:
        found: Any = root
        for place in part["$ref"].removeprefix("#/").split("/"):
            found = found[place]
        return _of(found, root, depth - 1)
    return _mutated(_fitting(part, root, depth), depth)


def _mutated(fitting: st.SearchStrategy[Any], depth: int) -> st.SearchStrategy[Any]:
    # Rarely enough that a value of many parts often fits.
    return st.integers(0, 15).flatmap(lambda n: fitting if n < 15 else JSON | SCALARS if depth % 2 else SCALARS)


def _fitting(part: Schema, root: Schema, depth: int) -> st.SearchStrategy[Any]:
    for several in ("anyOf", "oneOf"):
        if several in part:
            return st.one_of(*(_of(option, root, depth) for option in part[several]))
    if "enum" in part or "const" in part:
        constants = part.get("enum", [part.get("const")])
        return st.sampled_from([*constants, *(float(c) for c in constants if type(c) is int)])
    match part.get("type"):
        case "object":
            return _objects(part, root, depth)
        case "array":
            return _arrays(part, root, depth)
        case "string":
            return _texts(part)
        case "integer" | "number":
            return NUMBERS | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
    return JSON


def _objects(part: Schema, root: Schema, depth: int) -> st.SearchStrategy[Any]:
    members = {name: _of(inner, root, depth - 1) for name, inner in part.get("properties", {}).items()}
    required = {name: members[name] for name in part.get("required", ()) if name in members}
    optional = {name: inner for name, inner in members.items() if name not in required}
    known = st.fixed_dictionaries(required, optional=optional)
    keys = _texts(part["propertyNames"]) if isinstance(part.get("propertyNames"), Mapping) else ANY_TEXT
    more = st.dictionaries(keys, _of(part.get("additionalProperties", {}), root, depth - 1), max_size=2)
    if members:  # rarely uses another name, or leaves the field out
        names = st.sampled_from(["a", "b", "kind", "value", *members])
        odd = st.dictionaries(names, SCALARS, min_size=1, max_size=1)
        lacking = st.tuples(known, names).map(lambda pair: {k: v for k, v in pair[0].items() if k != pair[1]})
        return st.one_of(known, known, known, st.builds(lambda one, two: {**two, **one}, known, odd), lacking)
    return more


def _arrays(part: Schema, root: Schema, depth: int) -> st.SearchStrategy[Any]:
    fixed = [_of(item, root, depth - 1) for item in part.get("prefixItems", ())]
    if fixed:
        return st.tuples(*fixed).map(list)
    return st.lists(_of(part.get("items", {}), root, depth - 1), max_size=3)


def _texts(part: Schema) -> st.SearchStrategy[str]:
    if "$ref" in part:
        return ANY_TEXT
    if "enum" in part:
        return st.sampled_from([str(constant) for constant in part["enum"]]) | ANY_TEXT
    name = part.get("format", "decimal" if len(part) == 1 else "")
    known = TEXTS.get(ALIKE.get(name, name), TEXTS[""])
    return st.sampled_from(known) | st.sampled_from(known) | ANY_TEXT
