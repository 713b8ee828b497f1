"""Types whose JSON is one text: the writer, the reader and the pattern of each."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final
from uuid import UUID


@dataclass(frozen=True)
class Parsed:
    """A text with a format, read by `parse` and written by `write`; `pattern` matches what `parse` accepts."""

    format: str
    kind: type
    parse: Callable[[str], Any]
    write: Callable[[Any], str] = str
    pattern: str | None = None


# `$` alone also matches before a line's end.
_END: Final = r"(?!\n)$"
_DATE: Final = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_TIME: Final = rf"{_CLOCK}(:[0-5][0-9]([.][0-9]+)?)?(Z|[-+]{_CLOCK}(:[0-5][0-9]([.][0-9]{{6}})?)?)?"
_BASE64: Final = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?" + _END
_DECIMAL: Final = r"^[-+]?(([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]{1,9})?|Infinity|s?NaN[0-9]*)" + _END
_DURATION: Final = r"^-?P(?=.)([0-9]{1,9}D)?(T(?=.)([0-9]{1,9}H)?([0-9]{1,9}M)?([0-9]{1,9}([.][0-9]{1,6})?S)?)?" + _END


def _moment(text: str) -> datetime:
    if len(text) <= len("2026-01-02"):  # Python accepts a date alone, which is not a time
        raise ValueError(text)
    return datetime.fromisoformat(text)


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _duration(text: str) -> timedelta:
    found = re.match(_DURATION, text)
    if found is None:
        raise ValueError(text)
    days, hours, minutes, seconds = (found[number] or "0" for number in (1, 3, 4, 5))
    whole, _, fraction = seconds.rstrip("S").partition(".")
    length = timedelta(
        int(days.rstrip("D")),
        int(whole),
        int(fraction.ljust(6, "0")),
        hours=int(hours.rstrip("H")),
        minutes=int(minutes.rstrip("M")),
    )
    return -length if text.startswith("-") else length


def _iso_duration(value: timedelta) -> str:
    sign, total = ("-", -_microseconds(value)) if value.days < 0 else ("", _microseconds(value))
    seconds, fraction = divmod(total, 10**6)
    days, seconds = divmod(seconds, 86400)
    return f"{sign}P{days}DT{seconds}{f'.{fraction:06}' if fraction else ''}S"


def _microseconds(value: timedelta) -> int:
    return (value.days * 86400 + value.seconds) * 10**6 + value.microseconds


_PATH_KINDS: Final[tuple[type, ...]] = (PurePosixPath, PureWindowsPath, type(Path()))

_PARSED: Final[dict[Any, Parsed]] = {
    datetime: Parsed("date-time", datetime, _moment, datetime.isoformat, f"^{_DATE}[Tt ]{_TIME}{_END}"),
    date: Parsed("date", date, date.fromisoformat, date.isoformat),
    time: Parsed("time", time, time.fromisoformat, time.isoformat, f"^{_TIME}{_END}"),
    UUID: Parsed("uuid", UUID, UUID),
    timedelta: Parsed("iso-duration", timedelta, _duration, _iso_duration, _DURATION),
    Decimal: Parsed("decimal", Decimal, Decimal, str, _DECIMAL),
    bytes: Parsed("base64", bytes, _bytes, _base64, _BASE64),
    Path: Parsed("path", type(Path()), Path),
    PurePath: Parsed("path", type(PurePath()), PurePath),
    **{kind: Parsed("path", kind, kind) for kind in _PATH_KINDS},
}


def parsed_of(kind: Any) -> Parsed | None:
    """Return the text form of a type, None for a type without one."""
    return _PARSED.get(kind)


def read(parsed: Parsed, text: str) -> Any:
    """Return the value of a text; raise ValueError for an invalid one."""
    try:
        return parsed.parse(text)
    except (ArithmeticError, TypeError) as error:  # Decimal and timedelta have errors of their own
        raise ValueError(text) from error
