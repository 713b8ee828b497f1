"""Limits of JSON texts from agent code, checked before a text may enter a batch that runs share."""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from taxiway.frames import is_storable

from executor.errors import Refused

MAX_DEPTH = 200


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _too_deep(text: str, decoded: object) -> bool:
    """Return whether it is nested too deep: later decoders may be deeper in Python's stack than this one."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    level = [decoded]
    for _ in range(MAX_DEPTH):
        level = [item for value in level for item in _inside(value)]
    return bool(level)


def _inside(value: object) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def checked(text: Any, limit: int, what: str) -> str:
    """Return the JSON text if it may be stored: within `limit` bytes, no NaN, NUL or half surrogates; else raise Refused."""
    if not isinstance(text, str):
        raise Refused("invalid_output", f"{what} is missing")
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    if size > limit:
        raise Refused("output_too_large", f"{what} has {size:,} bytes; {limit:,} are allowed")
    try:
        decoded = _DECODER.decode(text)
        text.encode()
        if _too_deep(text, decoded):
            raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
        # Only an escape can contain what PostgreSQL's text cannot hold.
        if "\\u" in text and not is_storable(decoded):
            raise ValueError("it contains NUL or half a surrogate pair")
    except (ValueError, RecursionError) as error:
        raise Refused("invalid_output", f"{what} is not valid JSON: {error}") from None
    return text


def storable(text: str) -> str:
    """Make a line of free text storable: no NUL, no half surrogates."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
