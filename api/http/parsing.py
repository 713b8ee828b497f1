"""Validation of a JSON object as a request body: 422 for an unknown field, 400 for an invalid one."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from api.http.problems import FieldError, Problem

_MOST_ERRORS = 20
_LONGEST_NAME = 100
NOT_YET = "not available in this version"
NOT_KNOWN = "is not known"


class Body(BaseModel):
    """Base of every request body: no field is guessed, converted or ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)


B = TypeVar("B", bound=Body)


def read_as(model: type[B], fields: Mapping[str, Any], *, later: frozenset[str] = frozenset(), place: str = "") -> B:
    """Return the validated body; raises Problem `unknown_field` or `invalid_request`.

    `later` are documented fields of a later version; `place` is put before field names.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
    errors = [
        _field_error(item["type"], _name(place, item["loc"]), item["msg"], later) for item in found[:_MOST_ERRORS]
    ]
    unknown = [error for error in errors if error.detail in (NOT_KNOWN, NOT_YET)]
    if unknown:
        raise Problem(
            "unknown_field", _sentence(unknown), unknown + [error for error in errors if error not in unknown]
        )
    raise Problem("invalid_request", _sentence(errors), errors)


def _field_error(kind: str, name: str, message: str, later: frozenset[str]) -> FieldError:
    if kind != "extra_forbidden":
        return FieldError(name, plain_message(message))
    return FieldError(name, NOT_YET if name.rpartition(".")[2] in later else NOT_KNOWN)


def _name(place: str, where: tuple[int | str, ...]) -> str:
    # pydantic reports a name with half of a surrogate pair without its location.
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in where if part != "[key]"] or [".?"]
    return (place + "".join(parts).removeprefix("."))[:_LONGEST_NAME]


def plain_message(message: str) -> str:
    """Return a validation message as a phrase that continues after the field's name."""
    message = message.removeprefix("Value error, ").replace("Input should be", "must be")
    message = re.sub(r"^(String|List|Dictionary) should", "must", message)
    return message if message.startswith(("must", "is ", "needs")) else f"is wrong: {message[:1].lower()}{message[1:]}"


def _sentence(errors: list[FieldError]) -> str:
    first, more = errors[0], len(errors) - 1
    verb = "is " if first.detail == NOT_YET else ""
    and_more = f" (and {more} more)" if more else ""
    return f"{first.field} {verb}{first.detail}{and_more}."
