"""The kinds of fields that request bodies are made of, each with its bounds."""

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from api.durations import milliseconds
from models.recurrence import check_cron, check_timezone
from models.window_times import LONGEST

LONGEST_GRACE_MS = 3_600_000
LONGEST_RATE_MS = 86_400_000
_UNPRINTED = {"Cc", "Cs", "Zl", "Zp"}  # controls, halves of pairs, ends of lines and of paragraphs


def _text(value: object) -> object:
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("must not contain the character NUL")
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("must not contain half of a surrogate pair")
    return value


def _line(value: object) -> object:
    if isinstance(value, str) and any(unicodedata.category(character) in _UNPRINTED for character in value):
        raise ValueError("must be printable: no line breaks, no NUL and no other control characters")
    return value


def _duration(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be seconds or an ISO 8601 duration such as PT15M")  # noqa: TRY004  pydantic's protocol
    return milliseconds(value)


def _active_time(value: object) -> int:
    duration = _duration(value)
    if duration == 0:
        raise ValueError("must be longer than zero")
    return duration


def _grace(value: object) -> int:
    duration = _duration(value)
    if duration > LONGEST_GRACE_MS:
        raise ValueError("must be an hour at most")
    return duration


def _period(value: object) -> int:
    duration = _active_time(value)
    if duration > LONGEST / timedelta(milliseconds=1):
        raise ValueError("must be 7 days at most")
    return duration


def _rate_span(value: object) -> int:
    duration = _duration(value)
    if not 1000 <= duration <= LONGEST_RATE_MS:
        raise ValueError("must be between one second and one day")
    return duration


def _checked(check: Callable[[str], None]) -> Callable[[str], str]:
    def checked(value: str) -> str:
        check(value)
        return value

    return checked


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else None
        if moment is not None and moment.tzinfo is not None and 1970 <= moment.year < 9000:
            # PostgreSQL takes no offset beyond 16 hours, Python any below 24.
            return moment.astimezone(UTC)
    except ValueError:
        pass
    raise ValueError("must be a moment with its offset, such as 2026-03-01T09:30:00Z")


def _object(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError("must be an object")  # noqa: TRY004  pydantic's protocol
    return value


def _once_each(words: list[str]) -> list[str]:
    return list(dict.fromkeys(words))


# PostgreSQL cannot hold NUL, nor UTF-8 half of a surrogate pair; looked for first, because pydantic stumbles over the latter.
Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=200)]
ActiveTime = Annotated[int, BeforeValidator(_active_time, json_schema_input_type=float | str)]
# How long a run may stay queued; what runs are told apart by that must not execute at once; the span that a rate counts in.
QueueTime = ActiveTime
ConcurrencyKey = Annotated[str, BeforeValidator(_line), Field(min_length=1, max_length=255)]
RateSpan = Annotated[int, BeforeValidator(_rate_span, json_schema_input_type=float | str)]
# How many runs at once: a whole number, and no other kind of number.
Limit = Annotated[int, Field(ge=1, le=1_000_000)]
Grace = Annotated[int, BeforeValidator(_grace, json_schema_input_type=float | str)]
# How long an opening of a window lasts; when something recurs; a point in time.
Period = Annotated[int, BeforeValidator(_period, json_schema_input_type=float | str)]
Cron = Annotated[str, BeforeValidator(_text), Field(max_length=200), AfterValidator(_checked(check_cron))]
Timezone = Annotated[str, BeforeValidator(_text), Field(max_length=64), AfterValidator(_checked(check_timezone))]
Moment = Annotated[datetime, BeforeValidator(_moment, json_schema_input_type=str)]
# Its members are Any because they are the agent's: they are checked against the agent's schema, not here.
Input = Annotated[object, BeforeValidator(_object, json_schema_input_type=dict[str, object])]
Metadata = Annotated[
    dict[
        Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=64)],
        Annotated[str, BeforeValidator(_text), Field(max_length=512)],
    ],
    Field(max_length=64),
]
Tag = Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=64)]
Tags = Annotated[list[Tag], Field(max_length=32), AfterValidator(_once_each)]
