"""Example call: an input that fits an agent's JSON Schema, and the commands that send it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jsonschema.exceptions import SchemaError
from referencing.exceptions import Unresolvable

from api.json_schema.violations import build_validator

Schema = Mapping[str, Any]

_DEEPEST: Final = 8
_FORMATS: Final = {
    "date-time": "2026-12-24T18:30:00Z",
    "date": "2026-12-24",
    "time": "18:30:00",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "duration": "PT15M",
}
_NAMES: Final = {
    "url": "https://example.com",
    "uri": "https://example.com",
    "mail": "ann@example.com",
    "path": ".",
    "folder": ".",
}
_SCALARS: Final[dict[str, Any]] = {"boolean": True, "null": None}


@dataclass(frozen=True)
class Example:
    """A call of an agent; `known` is false if no fitting input was found."""

    agent: str
    input: dict[str, Any] = field(default_factory=dict)
    known: bool = True

    def body(self) -> str:
        """Return the JSON of POST /v1/runs, quoted for a shell."""
        return shlex.quote(json.dumps({"agent": self.agent, **({"input": self.input} if self.input else {})}))

    def words(self) -> str:
        """Return the arguments of `taxiway enqueue`: scalars by `-i`, other values in one `--input`."""
        nested = {name: value for name, value in self.input.items() if isinstance(value, list | dict)}
        pairs = [f"-i {name}={_word(value)}" for name, value in self.input.items() if name not in nested]
        more = [f"--input {shlex.quote(json.dumps(nested))}"] if nested else []
        return " ".join([shlex.quote(self.agent), *pairs, *more])


def example_of(agents: Sequence[Mapping[str, Any]], first: str) -> Example:
    """Return a call of one of the agents (of GET /v1/agents): `first`, or else any with a fitting input."""
    ordered = sorted(agents, key=lambda agent: agent["name"] != first)
    for agent in ordered:
        if (given := fitting(agent["inputSchema"])) is not None:
            return Example(str(agent["name"]), given)
    return Example(str(ordered[0]["name"]) if ordered else "AGENT", known=not ordered)


def fitting(schema: Schema) -> dict[str, Any] | None:
    """Return an input with only the required members; None if no accepted input is found."""
    try:
        given = _value(schema, schema, "", _DEEPEST)
        return given if isinstance(given, dict) and build_validator(schema).is_valid(given) else None
    except (SchemaError, Unresolvable, TypeError, ValueError, KeyError, AttributeError, RecursionError):
        return None  # an unusual schema: a printed example must work


def _value(part: Any, root: Schema, name: str, depth: int) -> Any:
    if not isinstance(part, Mapping) or depth == 0:
        return {}
    for given in ("default", "const"):
        if given in part:
            return part[given]
    for several in ("examples", "enum"):
        if part.get(several):
            return part[several][0]
    if "$ref" in part:
        return _value(_definition(part["$ref"], root), root, name, depth - 1)
    for several in ("anyOf", "oneOf", "allOf"):
        if part.get(several):
            return _value(min(part[several], key=_length), root, name, depth - 1)
    return _typed(part, root, name, depth)


def _typed(part: Schema, root: Schema, name: str, depth: int) -> Any:
    match part.get("type", "object" if "properties" in part else "string"):
        case "object":
            members = part.get("properties", {})
            return {key: _value(members.get(key, {}), root, key, depth - 1) for key in part.get("required", ())}
        case "array":
            fixed = [_value(item, root, name, depth - 1) for item in part.get("prefixItems", ())]
            more = max(0, part.get("minItems", 1 if "items" in part else 0) - len(fixed))
            return [*fixed, *(_value(part.get("items", {}), root, name, depth - 1) for _ in range(more))]
        case "integer" | "number":
            return _number(part)
        case "string":
            return _text(part, name)
        case scalar:
            return _SCALARS[str(scalar)]


def _length(option: Any) -> int:
    """Return the cost of an alternative: references cost most, so that recursive types end."""
    return 2 if "$ref" in option else 1 if option.get("type") == "null" else 0


def _number(part: Schema) -> Any:
    least = max(part.get("minimum", 1), part.get("exclusiveMinimum", 0) + 1)
    step = part.get("multipleOf", 1)
    return min(-(-least // step) * step, part.get("maximum", least * step))


def _text(part: Schema, name: str) -> str:
    if part.get("format") in _FORMATS:
        return _FORMATS[part["format"]]
    text = next((said for word, said in _NAMES.items() if word in f"{name} {part.get('format')}".lower()), "an example")
    return text[: part.get("maxLength", len(text))].ljust(part.get("minLength", 0), ".")


def _definition(reference: str, root: Schema) -> Any:
    found: Any = root
    for place in reference.removeprefix("#/").split("/"):
        found = found[place.replace("~1", "/").replace("~0", "~")]
    return found


def _word(value: Any) -> str:
    """Return a scalar that `-i` reads back unchanged, regardless of the schema."""
    if not isinstance(value, str):
        return shlex.quote(json.dumps(value))
    try:
        json.loads(value)
    except ValueError:
        return shlex.quote(value)
    return shlex.quote(json.dumps(value))
