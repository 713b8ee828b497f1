"""Field types of request bodies, each with its limits."""

import unicodedata
from collections.abc import Callable
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from api.http.durations import LONGEST_MS, milliseconds
from models.calendar.recurrence import check_cron, check_timezone
from models.calendar.window_times import LONGEST

LONGEST_GRACE_MS = 3_600_000
LONGEST_RATE_MS = 86_400_000
_UNPRINTED = {"Cc", "Cs", "Zl", "Zp"}  # control characters, surrogates, line and paragraph separators


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


def _moment(value: object, last_year: int = 8999) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else None
        if moment is not None and moment.tzinfo is not None and 1970 <= moment.year <= last_year:
            # PostgreSQL accepts offsets up to 16 hours, Python up to 24.
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # overflow: the last day of the calendar, west of Greenwich
        pass
    raise ValueError("must be a moment with its offset, such as 2026-03-01T09:30:00Z")


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _object(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError("must be an object")  # noqa: TRY004  pydantic's protocol
    return value


def _once_each(words: list[str]) -> list[str]:
    return list(dict.fromkeys(words))


def schema_keywords(**keywords: Any) -> Any:
    """Add keywords to the field's JSON Schema that describe what its validator checks; the last value of a keyword wins."""
    return Field(json_schema_extra=keywords)


def duration_schema(least_ms: int, most_ms: int) -> WithJsonSchema:
    """Return the JSON Schema of a duration between these bounds."""
    text = {"type": "string", "format": "duration", "examples": ["PT15M"]}
    return WithJsonSchema({"anyOf": [{"type": "number", "minimum": least_ms / 1000, "maximum": most_ms // 1000}, text]})


# PostgreSQL cannot store NUL, and UTF-8 cannot encode half of a surrogate pair. Checked first: pydantic fails on the latter.
NO_NUL = r"^[^\u0000]*$"
PRINTED_LINE = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
Text = Annotated[str, BeforeValidator(_text), schema_keywords(pattern=NO_NUL)]
Name = Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=200), schema_keywords(pattern=NO_NUL)]
ActiveTime = Annotated[int, BeforeValidator(_active_time), duration_schema(1, LONGEST_MS)]
# How long a run may stay queued.
QueueTime = ActiveTime
# Runs with equal keys share a limit of concurrent executions.
ConcurrencyKey = Annotated[
    str, BeforeValidator(_line), Field(min_length=1, max_length=255), schema_keywords(pattern=PRINTED_LINE)
]
# The period in which a rate counts starts.
RateSpan = Annotated[int, BeforeValidator(_rate_span), duration_schema(1000, LONGEST_RATE_MS)]
# A whole number in any spelling: 4.0 is an integer to JSON Schema, and to languages with one number type.
WHOLE = BeforeValidator(_whole)
# How many runs may execute at the same time.
Limit = Annotated[int, Field(ge=1, le=1_000_000), WHOLE]
Grace = Annotated[int, BeforeValidator(_grace), duration_schema(0, LONGEST_GRACE_MS)]
# How long an opening of a window lasts.
Period = Annotated[int, BeforeValidator(_period), duration_schema(1, LONGEST // timedelta(milliseconds=1))]
Cron = Annotated[
    str,
    BeforeValidator(_text),
    Field(max_length=200),
    AfterValidator(_checked(check_cron)),
    WithJsonSchema({"type": "string", "format": "cron", "examples": ["0 22 * * 1-5"]}),
]
Timezone = Annotated[
    str,
    BeforeValidator(_text),
    Field(max_length=64),
    AfterValidator(_checked(check_timezone)),
    WithJsonSchema({"type": "string", "format": "timezone", "examples": ["Europe/Berlin"]}),
]
_MOMENT_SCHEMA = WithJsonSchema(
    {"type": "string", "format": "date-time", "pattern": "^(19[7-9]|[2-8][0-9]{2})[0-9]-[^ ]*$"}
)
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    _MOMENT_SCHEMA,
]
# A moment to compare with. Nothing is added to it, so it may be the last day of the calendar.
Bound = Annotated[
    datetime,
    BeforeValidator(lambda value: _moment(value, MAXYEAR)),
    _MOMENT_SCHEMA,
]
# Members of any type: the agent's schema checks them, not this one.
Input = Annotated[object, BeforeValidator(_object, json_schema_input_type=dict[str, object])]
Metadata = Annotated[
    dict[
        Annotated[Text, Field(min_length=1, max_length=64)],
        Annotated[Text, Field(max_length=512)],
    ],
    Field(max_length=64),
]
Tag = Annotated[Text, Field(min_length=1, max_length=64)]
Tags = Annotated[list[Tag], Field(max_length=32), AfterValidator(_once_each)]
