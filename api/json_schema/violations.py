"""Violations of a JSON Schema by a JSON value: field by field, without quoting the value."""

import json
from functools import lru_cache
from typing import Any

from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from api.http.problems import FieldError
from api.json_schema.dialect import DECIMAL, Dialect
from api.json_schema.formats import FORMATS
from models.runtime.facts import fact

_MOST_ERRORS = 20
_LONGEST_DETAIL = 300


def violations(value: Any, schema: str, place: str, owner: str) -> list[FieldError]:
    """Return the violations, twenty at most. `schema` is JSON text, `owner` names who made it, for example "the agent"."""
    try:
        found = []
        for error in _validator(schema).iter_errors(value):
            found += _field_errors(error, place, owner)
            if len(found) >= _MOST_ERRORS:
                break
    except (Unresolvable, RecursionError, ArithmeticError, TypeError, ValueError) as error:
        # The schema cannot check this value. Whether schema or value is the cause, the value is unusable.
        fact("schema.unusable", level="warning", whose=owner, error=type(error).__name__)
        return [FieldError(place, f"cannot be compared with the schema of {owner}")]
    return list(dict.fromkeys(found))[:_MOST_ERRORS]


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    return build_validator(json.loads(schema))


def build_validator(schema: Any) -> Any:
    """Return the validator of a schema; raises ValueError for a schema whose check could take unlimited time."""
    text = json.dumps(schema)
    if (
        "unevaluatedProperties" in text and "patternProperties" in text
    ):  # unevaluatedProperties then matches by Python's `re`, which has no time limit
        raise ValueError("unevaluatedProperties cannot be used together with patternProperties")
    # An empty registry: a schema that refers to an address on the network must not make this server fetch it.
    return Dialect(schema, registry=Registry(), format_checker=FORMATS)


def _field_errors(error: ValidationError, place: str, owner: str) -> list[FieldError]:
    """Return a violation by fields: missing and unknown ones have their own name."""
    given: Any = error.instance
    where = place + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    if error.validator == "required":
        required: Any = error.validator_value
        missing = [name for name in required if name not in given]
        # jsonschema reports one error for each missing name; its message begins with the name.
        return [FieldError(f"{where}.{name}", "is missing") for name in missing if error.message.startswith(repr(name))]
    if error.validator == "additionalProperties" and error.validator_value is False:
        allowed = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        return [
            FieldError(_cut(f"{where}.{name}"), f"is not known to {owner}") for name in given if name not in allowed
        ]
    return [FieldError(_cut(where), _cut(_message(error, owner)))]


def _message(error: ValidationError, owner: str) -> str:
    """Return what the schema requires, without quoting the value: it may be long, or secret."""
    wanted = error.validator_value
    if error.validator == "type":
        return f"must be of type {' or '.join(_types(error.schema))}"
    if error.validator == "anyOf" and (types := _types(error.schema)):
        return f"must be of type {' or '.join(types)}"
    if error.validator == DECIMAL:
        return error.message  # it does not quote the value
    named = error.schema.get("format") if isinstance(error.schema, dict) else None
    phrases = {
        "enum": f"must be one of {json.dumps(wanted)}",
        "const": f"must be {json.dumps(wanted)}",
        "minimum": f"must be at least {wanted}",
        "maximum": f"must be at most {wanted}",
        "minLength": f"must have at least {wanted} characters",
        "maxLength": f"must have at most {wanted} characters",
        "pattern": f"must be a {named}" if named else f"must match {wanted}",
        "format": f"must be a {wanted}",
    }
    return phrases.get(str(error.validator), f"does not satisfy {error.validator} of the schema of {owner}")


def _types(schema: Any) -> list[str]:
    """Return the types that a schema and its alternatives name."""
    if isinstance(schema, dict) and "anyOf" in schema:
        return list(dict.fromkeys(name for branch in schema["anyOf"] for name in _types(branch)))
    wanted = schema.get("type", []) if isinstance(schema, dict) else []
    return [wanted] if isinstance(wanted, str) else list(wanted)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}…"
