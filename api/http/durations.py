"""Durations as the API spells them: seconds, or ISO 8601 without years and months."""

import re

_ISO = re.compile(
    r"P(?=.)(?:(?P<w>\d+(?:\.\d+)?)W)?(?:(?P<d>\d+(?:\.\d+)?)D)?"
    r"(?:T(?=.)(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<m>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
LONGEST_MS = 100 * 366 * 86_400_000
_LONGEST_TEXT = 64


def milliseconds(value: float | str) -> int:
    """Return seconds, or a text such as `PT15M`, as whole milliseconds; raises ValueError with a phrase for people."""
    seconds = _iso_seconds(value) if isinstance(value, str) else value
    # Not `seconds < 0 or …`: NaN compares false with everything and must be refused too.
    if not 0 <= seconds <= LONGEST_MS / 1000:
        raise ValueError("must be between zero and 100 years (36600 days)")
    return round(seconds * 1000)


def _iso_seconds(text: str) -> float:
    match = _ISO.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if match is None:
        raise ValueError("must be seconds or an ISO 8601 duration such as PT15M")
    return sum(float(number) * _SECONDS[unit] for unit, number in match.groupdict().items() if number)


def iso(duration_ms: int) -> str:
    """Return milliseconds as ISO 8601, for example `PT1H30M`."""
    hours, rest = divmod(duration_ms, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    parts = f"{hours}H" * bool(hours) + f"{minutes}M" * bool(minutes) + f"{rest / 1000:g}S" * bool(rest)
    return f"PT{parts or '0S'}"
