"""Values of a submitted form: converts it to the answer's value, or returns an error for each unreadable field.

This module only checks whether a value can be read. The decision checks whether it fits the question.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final
from urllib.parse import parse_qsl

from api.http.problems import Problem
from api.page.field import Field, Kind

Given = Mapping[str, Sequence[str]]
"""The submitted values of each field name."""

_MOST_FIELDS = 1000
_WHOLE = re.compile(r"[-+]?\d{1,400}")
_DECIMAL = re.compile(r"[-+]?(\d{1,400}\.?\d{0,400}|\.\d{1,400})([eE][-+]?\d{1,3})?")


class Unreadable(ValueError):
    """The typed text is not a value of its kind; the message says what would be."""


class _Blank:
    """Marks a field that was left blank."""


_BLANK: Final = _Blank()


@dataclass(frozen=True, slots=True)
class Filled:
    """The value of a submitted form; meaningless if there are errors (field name → what to do)."""

    value: Any
    errors: Mapping[str, str]


def parse_form(raw: bytes) -> Given:
    """Parse what a browser submitted (application/x-www-form-urlencoded); raises Problem `invalid_request`."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise Problem("invalid_request", "The form cannot be read.") from None
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    return given


def read(form: Field, given: Given) -> Filled:
    """Read the values of a submitted form."""
    errors: dict[str, str] = {}
    value = _value(form, given, errors)
    return Filled(None if value is _BLANK else value, errors)


def _value(field: Field, given: Given, errors: dict[str, str]) -> Any:
    """Return the value of a field; _BLANK if it is left out or wrong. An error is added to `errors`."""
    if field.kind is Kind.GROUP:
        return _group(field, given, errors)
    typed = [text for text in given.get(field.name, ()) if text.strip()]
    try:
        value = _read(field, typed) if typed else _blank(field)
    except Unreadable as unreadable:
        errors[field.name] = str(unreadable)
        return _BLANK
    return value


def _group(field: Field, given: Given, errors: dict[str, str]) -> Any:
    if not field.required or field.nullable:
        typed = {leaf.name: _typed(given.get(leaf.name, ())) for leaf in field.leaves()}
        if all(typed[leaf.name] == _typed(leaf.preset) for leaf in field.leaves()):
            return None if field.required else _BLANK
        if not any(typed.values()):
            return None if field.nullable else _BLANK
    members = {inner.name: _value(inner, given, errors) for inner in field.fields}
    if field.listed:
        return [inner.default if members[inner.name] is _BLANK else members[inner.name] for inner in field.fields]
    return {name.removeprefix(f"{field.name}."): value for name, value in members.items() if value is not _BLANK}


def _typed(texts: Sequence[str]) -> list[str]:
    """Return typed text in a form that can be compared: browsers send other line ends than they received."""
    return [text.replace("\r\n", "\n").strip() for text in texts if text.strip()]


def _blank(field: Field) -> Any:
    # A default that a person removed must not come back.
    if not field.required and not field.preset:
        return _BLANK
    if field.nullable:
        return None
    if field.kind in (Kind.LIST, Kind.CHOICES):
        return []
    if not field.required:
        return _BLANK
    raise Unreadable("Choose one." if field.kind in (Kind.CHOICE, Kind.TRUTH) else "Fill this in.")


def _read(field: Field, typed: Sequence[str]) -> Any:
    text = typed[-1]
    match field.kind:
        case Kind.CHOICE:
            return _option(field, text)
        case Kind.CHOICES:
            return [_option(field, place) for place in dict.fromkeys(typed)]
        case Kind.LIST:
            return [_scalar(field.item, line.strip()) for line in text.splitlines() if line.strip()]
        case Kind.LINES:
            return text.replace("\r\n", "\n").strip()
        case Kind.JSON:
            return _json(text)
    return _scalar(field.kind, text.strip())


def _option(field: Field, place: str) -> Any:
    if not place.isdecimal() or len(place) > 9 or int(place) >= len(field.options):
        raise Unreadable("Choose one of the options.")
    return field.options[int(place)].value


def _scalar(kind: Kind, text: str) -> Any:
    match kind:
        case Kind.INTEGER:
            return _whole(text)
        case Kind.NUMBER:
            return _number(text)
        case Kind.TRUTH:
            return _truth(text)
        case Kind.DATE:
            return _dated(date, text, "Enter a date like 2026-12-31.").isoformat()
        case Kind.TIME:
            return _dated(time, text, "Enter a time like 18:30.").isoformat()
        case Kind.MOMENT:
            return _moment(text)
    return text


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise Unreadable(f"Enter a whole number, such as 12; {_quoted(text)} is not one.")
    return int(text)


def _number(text: str) -> int | float:
    if _WHOLE.fullmatch(text):
        return int(text)
    value = float(text) if _DECIMAL.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise Unreadable(f"Enter a number with a decimal point, such as 12.5; {_quoted(text)} is not one.")
    return value


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise Unreadable("Choose one.")
    return text == "true"


def _dated(kind: Any, text: str, advice: str) -> Any:
    try:
        return kind.fromisoformat(text)
    except ValueError:
        raise Unreadable(advice) from None


def _moment(text: str) -> str:
    advice = "Enter date and time like 2026-12-31T18:30."
    if len(text) <= len("2026-12-31"):  # Python would accept a date alone
        raise Unreadable(advice)
    moment: datetime = _dated(datetime, text, advice)
    return moment.isoformat().replace("+00:00", "Z") + ("" if moment.tzinfo else "Z")


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise Unreadable(f"This is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except (ValueError, RecursionError):
        raise Unreadable("This JSON cannot be stored.") from None


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _quoted(text: str) -> str:
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"
