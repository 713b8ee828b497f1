"""Turns a JSON object into a request's fields: 422 for a field that is not taken, 400 for one that is wrong."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from api.problems import FieldError, Problem

_MOST_ERRORS = 20
_LONGEST_NAME = 100
NOT_YET = "not available in this version"


class Body(BaseModel):
    """What every request body has in common: no field is guessed, converted or ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)


B = TypeVar("B", bound=Body)


def read_as(model: type[B], fields: Mapping[str, Any], *, later: frozenset[str] = frozenset(), place: str = "") -> B:
    """Read the fields of a body; `later` are documented ones of a later version, `place` is put before their names."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
    unknown = [_name(place, item["loc"]) for item in found if item["type"] == "extra_forbidden"]
    wrong = [
        FieldError(_name(place, item["loc"]), plain(item["msg"])) for item in found if item["type"] != "extra_forbidden"
    ]
    if unknown:
        later_names = {f"{place}{name}" for name in later}
        refused = [FieldError(name, NOT_YET if name in later_names else "is not known") for name in unknown]
        raise Problem("unknown_field", _sentence(refused), (refused + wrong)[:_MOST_ERRORS])
    raise Problem("invalid_request", _sentence(wrong), wrong[:_MOST_ERRORS])


def _name(place: str, where: tuple[int | str, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in where if part != "[key]"]
    return (place + "".join(parts).removeprefix("."))[:_LONGEST_NAME]


def plain(message: str) -> str:
    """Say a validation message as a phrase that continues after the field's name."""
    message = message.removeprefix("Value error, ").replace("Input should be", "must be")
    message = re.sub(r"^(String|List|Dictionary) should", "must", message)
    return message if message.startswith(("must", "is ", "needs")) else f"is wrong: {message[:1].lower()}{message[1:]}"


def _sentence(errors: list[FieldError]) -> str:
    first, more = errors[0], len(errors) - 1
    verb = "is " if first.detail == NOT_YET else ""
    and_more = f" (and {more} more)" if more else ""
    return f"{first.field} {verb}{first.detail}{and_more}."
