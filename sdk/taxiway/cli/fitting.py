"""Values of `-i`, read by the input schema of their agent: by its types, constants and alternatives only."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from taxiway.cli import inputs
from taxiway.cli.output import Output
from taxiway.client import Client, Invalid, Refused

Schema = Mapping[str, Any]

_DEEPEST: Final = 20
_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def fitted(client: Client, agent: str, given: dict[str, Any], pairs: Sequence[str]) -> dict[str, Any]:
    """Return the input with text in fields that take text, even if the text could be read as JSON.

    Asks the server only if there is such a value. Changes nothing if the server does not know the agent or the key may
    not read agents.
    """
    doubtful = {name: text for name, text in inputs.split(pairs) if not isinstance(given[name], str)}
    schema = _schema_of(client, agent) if doubtful else None
    if schema is None:
        return given
    texts = {name: text for name, text in doubtful.items() if _means_text(schema, name, given[name], text)}
    return {**given, **texts}


@contextmanager
def explained(given: Mapping[str, Any], pairs: Sequence[str]) -> Iterator[None]:
    """Print on stderr how the values of `-i` were read if the server refuses one of them."""
    try:
        yield
    except Invalid as problem:
        wrong = {error.field for error in problem.errors}
        for name, text in inputs.split(pairs):
            if any(
                field == f"input.{name}" or field.startswith((f"input.{name}.", f"input.{name}[")) for field in wrong
            ):
                Output(as_json=False).note(_how_read(name, text, given[name]))
        raise


def _how_read(name: str, text: str, value: Any) -> str:
    if isinstance(value, str):
        return f"-i {name}=… was read as text, not as JSON; write for example -i {name}=3 or -i {name}='[\"a\"]'."
    quoted = shlex.quote(json.dumps(text, ensure_ascii=False))
    return f"-i {name}={text} was read as JSON; for text, write -i {name}={quoted}."


def _means_text(schema: Schema, name: str, value: Any, text: str) -> bool:
    part = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
    return not fits(part, value, schema) and fits(part, text, schema)


def _schema_of(client: Client, agent: str) -> Schema | None:
    try:
        agents = client.agents()
    except Refused:
        return None
    return next((each.get("inputSchema") for each in agents if each["name"] == agent), None)


def fits(part: Any, value: Any, root: Schema, deepest: int = _DEEPEST) -> bool:
    """Return whether a value fits this part of a schema; unknown keywords fit every value."""
    if not isinstance(part, Mapping) or deepest == 0:
        return part is not False
    if "$ref" in part:
        return fits(_definition(str(part["$ref"]), root), value, root, deepest - 1)
    for several in ("anyOf", "oneOf"):
        if several in part:
            return any(fits(option, value, root, deepest - 1) for option in part[several])
    if "allOf" in part:
        return all(fits(each, value, root, deepest - 1) for each in part["allOf"])
    constants = [part["const"]] if "const" in part else part.get("enum")
    if constants is not None:
        # 1 and true are equal in Python, but different JSON values.
        return json.dumps(value) in map(json.dumps, constants)
    wanted = part.get("type")
    if wanted is None:
        return True
    types = [wanted] if isinstance(wanted, str) else wanted
    is_whole = isinstance(value, float) and value.is_integer()
    mine = {"null" if value is None else _TYPES[type(value)], *(["integer"] if is_whole else [])}
    return bool(mine & {*types, *(["integer"] if "number" in types else [])})


def _definition(reference: str, root: Schema) -> Any:
    found: Any = root
    for place in reference.removeprefix("#/").split("/"):
        found = found.get(place.replace("~1", "/").replace("~0", "~"), True) if isinstance(found, Mapping) else True
    return found
