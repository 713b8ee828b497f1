"""JSON text of a client's value, as it is stored, or the reason why it cannot be stored."""

import json
from collections.abc import Callable
from typing import Any

from api.http.problems import Problem


def storable_text(value: Any, max_bytes: int, place: str, refusal: Callable[[str], Problem]) -> str:
    """Return the JSON text of a value; raises Problem `payload_too_large`, or `refusal(reason)`."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except UnicodeEncodeError:
        raise refusal("contains half of a surrogate pair, which is not a character") from None
    except ValueError:
        raise refusal("contains a number that is too large") from None
    if size > max_bytes:
        raise Problem("payload_too_large", f"{place} has {size:,} bytes; {max_bytes:,} are allowed.")
    # The text may also be an escaped backslash followed by u0000, which is harmless. So check the value itself.
    if "\\u0000" in text and _has_nul(value):
        raise refusal("contains the character NUL, which cannot be stored")
    return text


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))
