"""A duration as people write it, turned into what the API reads: seconds, or ISO 8601 as it stands."""

from __future__ import annotations

import re
from datetime import timedelta

Duration = float | str | timedelta

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def duration(value: Duration) -> float | str:
    """Return seconds, or an ISO 8601 text unchanged.

    Accepts seconds (`90`, `"90"`), a timedelta, `"90s"`, `"15m"`, `"1h30m"`, `"2d"` and `"PT15M"`; raises ValueError
    otherwise.
    """
    if isinstance(value, timedelta):
        return _plain(value.total_seconds())
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.upper().startswith("P"):
        return text.upper()
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return _plain(float(text))
    if text and not _PART.sub("", text):
        return _plain(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))
    raise ValueError(f"{value!r} is not a duration; write for example 90, 90s, 15m, 1h30m or PT15M")


def _plain(seconds: float) -> float:
    return int(seconds) if seconds == int(seconds) else seconds
