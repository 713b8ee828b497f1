"""Writes what a client sent as the JSON text that is stored, or says why it cannot be."""

import json
from collections.abc import Callable
from typing import Any

from api.http.problems import Problem


def storable_text(value: Any, max_bytes: int, place: str, refusal: Callable[[str], Problem]) -> str:
    """Give the JSON text of a value; raises Problem `payload_too_large`, or what `unfit` makes of a reason."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except UnicodeEncodeError:
        raise refusal("holds half of a surrogate pair, which is no character") from None
    except ValueError:
        raise refusal("holds a number that is too large") from None
    if size > max_bytes:
        raise Problem("payload_too_large", f"{place} has {size:,} bytes; {max_bytes:,} are allowed.")
    # The escape may also be a backslash followed by u0000, which is harmless; so look again, exactly.
    if "\\u0000" in text and _has_nul(value):
        raise refusal("holds the character NUL, which cannot be stored")
    return text


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))
