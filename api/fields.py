"""The kinds of fields that request bodies are made of, each with its bounds."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from api.durations import milliseconds

LONGEST_GRACE_MS = 3_600_000


def _text(value: object) -> object:
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("must not contain the character NUL")
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("must not contain half of a surrogate pair")
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
Grace = Annotated[int, BeforeValidator(_grace, json_schema_input_type=float | str)]
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
