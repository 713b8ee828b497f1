"""Fills a form with a value that is there already, as a person would have typed it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from api.page.field import Kind, Option


def preset(kind: Kind, value: Any, options: Sequence[Option]) -> Sequence[str]:
    """Give what a field of this kind begins with; nothing when the value is none that it could give."""
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
        case Kind.JSON:
            return [json.dumps(value, ensure_ascii=False)]
        case Kind.GROUP:
            return ()
    return [] if value is None else [str(value)]


def _places(options: Sequence[Option], values: Sequence[Any]) -> Sequence[str]:
    """Name options by their places; `1` and `true` are equal in Python, and are not the same value."""
    written = [json.dumps(value) for value in values]
    return [str(place) for place, option in enumerate(options) if json.dumps(option.value) in written]


def _moment(value: Any) -> Sequence[str]:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return ()
    return [(moment.astimezone(UTC) if moment.tzinfo else moment).strftime("%Y-%m-%dT%H:%M")]
