"""Prefilled form fields: shows an existing value as a person would have typed it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from api.page.field import Field, Kind, Option


def prefilled(field: Field, value: Any) -> Field:
    """Return the field with a value filled in; the members of a group get the parts of the value."""
    if field.kind is not Kind.GROUP:
        return replace(field, preset=_preset(field.kind, value, field.options))
    parts = {f"[{place}]": part for place, part in enumerate(value)} if isinstance(value, list) else {}
    parts |= {f".{key}": part for key, part in value.items()} if isinstance(value, dict) else {}
    members = ((inner, inner.name.removeprefix(field.name)) for inner in field.fields)
    return replace(field, fields=tuple(_part(inner, parts[key]) if key in parts else inner for inner, key in members))


def _part(field: Field, value: Any) -> Field:
    # An unchanged null must be sent: if it were left out, the member would get the default of its own class.
    return prefilled(replace(field, required=True) if value is None else field, value)


def _preset(kind: Kind, value: Any, options: Sequence[Option]) -> Sequence[str]:
    """Return the typed text of a value for this kind of field; empty if the field cannot express it."""
    match kind:
        case Kind.CHOICE:
            return _places(options, [value])
        case Kind.CHOICES:
            return _places(options, value) if isinstance(value, list) else ()
        case Kind.LIST:
            return ["\n".join(map(str, value))] if isinstance(value, list) else ()
        case Kind.TRUTH:
            return ["true" if value else "false"] if isinstance(value, bool) else ()
        case Kind.MOMENT:
            return _moment(value)
        case Kind.JSON if value is not None:
            return [json.dumps(value, ensure_ascii=False)]
    return [] if value is None else [str(value)]


def _places(options: Sequence[Option], values: Sequence[Any]) -> Sequence[str]:
    """Return the indexes of options; compared as JSON, because `1 == True` in Python."""
    written = [json.dumps(value) for value in values]
    return [str(place) for place, option in enumerate(options) if json.dumps(option.value) in written]


def _moment(value: Any) -> Sequence[str]:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return ()
    return [(moment.astimezone(UTC) if moment.tzinfo else moment).strftime("%Y-%m-%dT%H:%M")]
