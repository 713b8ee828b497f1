"""Durations as people write them: 90, timedelta(…), "20s", "1h30m", "PT15M"."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

Duration = float | str | timedelta

LONGEST: Final = 100 * 366 * 86400.0
"""The longest duration in seconds: 100 years. Workers and the HTTP API have the same limit."""

_SHOWN: Final = 60
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SHORT_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SHORT: Final = re.compile(rf"(?:{_SHORT_PART.pattern})+")
_ISO: Final = re.compile(
    r"P(?=.)(?:(?P<w>\d+(?:\.\d+)?)W)?(?:(?P<d>\d+(?:\.\d+)?)D)?"
    r"(?:T(?=.)(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<m>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?"
)


def seconds(duration: Duration) -> float:
    """Return a duration in seconds.

    Accepts seconds, a timedelta, text such as "15m", "1h30m", "20s" or "250ms", and ISO 8601 such as "PT15M" (without months
    and years, whose lengths vary). Raises TypeError; raises ValueError for an invalid text, a negative number, NaN, or more
    than 100 years.
    """
    if isinstance(duration, bool) or not isinstance(duration, int | float | str | timedelta):
        raise TypeError(f"a duration is seconds, a timedelta or a text such as '15m', not {duration!r}")
    if isinstance(duration, timedelta):
        value = duration.total_seconds()
    elif isinstance(duration, str):
        value = _read(duration)
    else:
        value = duration
    if not 0 <= value <= LONGEST:  # an int may be too large for a float; NaN compares with nothing
        raise ValueError(f"a duration lies between 0 and 100 years (36,600 days), not {_written(duration)}")
    return float(value)


def milliseconds(duration: Duration | None) -> int | None:
    """Return a duration in whole milliseconds, at least 1 unless it is zero; None stays None."""
    if duration is None:
        return None
    return math.ceil(seconds(duration) * 1000)


def until(timeout: Duration | None) -> int | None:
    """Return the milliseconds after which a wait times out; None (never) for None and `timedelta.max`."""
    return None if timeout is None or timeout == timedelta.max else milliseconds(timeout)


def _written(duration: Duration) -> str:
    try:
        text = repr(duration)
    except ValueError:  # Python writes no int of more than 4,300 digits
        text = "a number of thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _read(text: str) -> float:
    compact = text.strip()
    if _SHORT.fullmatch(compact):
        return sum(float(number) * _UNITS[unit] for number, unit in _SHORT_PART.findall(compact))
    if match := _ISO.fullmatch(compact.upper()):
        return sum(float(number) * _UNITS[unit] for unit, number in match.groupdict().items() if number is not None)
    raise ValueError(f"{text!r} is no duration; write '20s', '15m', '1h30m' or 'PT15M'")
