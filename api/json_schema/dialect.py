"""The JSON Schema dialect of agents' inputs: draft 2020-12, checked as strictly as agents read their input."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, Final

import regex  # type: ignore[import-untyped]  # it comes without types
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from pydantic_core import SchemaError, SchemaValidator, core_schema
from pydantic_core import ValidationError as PydanticError

DECIMAL = "x-taxiway-decimal"
"""Limits of a decimal, written as a number or a text: `ge`, `gt`, `le`, `lt`, `multipleOf`, `maxDigits`, `decimalPlaces`."""

_LIMITS: Final = {
    "ge": "ge",
    "gt": "gt",
    "le": "le",
    "lt": "lt",
    "multipleOf": "multiple_of",
    "maxDigits": "max_digits",
    "decimalPlaces": "decimal_places",
    "allowInfNan": "allow_inf_nan",
}
_OF_DECIMALS: Final = ("ge", "gt", "le", "lt", "multiple_of")


MATCH_SECONDS: Final = 0.1
"""Limit of one match: some patterns take hours on forty characters, and Python's `re` blocks the process until then."""


def _pattern(validator: Any, wanted: str, value: object, _: object) -> Iterator[ValidationError]:
    if validator.is_type(value, "string") and not matcher(wanted)(value):
        yield ValidationError(f"does not match {wanted!r}")


@lru_cache(maxsize=1024)
def matcher(wanted: str) -> Callable[[object], bool]:
    """Return a function that tells whether a text matches the pattern.

    It uses pydantic's engine, which takes linear time, or `regex` for syntax that pydantic lacks. Raises ValueError for a
    pattern that neither reads; the function raises it for a match that takes too long.
    """
    try:
        engine = SchemaValidator(core_schema.str_schema(pattern=wanted))
    except SchemaError:
        try:
            return partial(_search_in_time, regex.compile(wanted))
        except regex.error as error:
            raise ValueError(f"pattern {wanted!r:.80}: {error}") from error
    return engine.isinstance_python


def _search_in_time(pattern: Any, text: object) -> bool:
    try:  # `concurrent` releases the GIL
        return pattern.search(str(text), timeout=MATCH_SECONDS, concurrent=True) is not None
    except TimeoutError:
        raise ValueError("a pattern takes too long on this text") from None


def _pattern_properties(validator: Any, patterns: Any, value: Any, _: object) -> Iterator[ValidationError]:
    if validator.is_type(value, "object"):
        for pattern, wanted in patterns.items():
            for name in filter(matcher(pattern), value):
                yield from validator.descend(value[name], wanted, path=name, schema_path=pattern)


def _additional(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(value, "object"):
        return
    matchers = [matcher(pattern) for pattern in schema.get("patternProperties", {})]
    known = schema.get("properties", {})
    surplus = [name for name in value if name not in known and not any(match(name) for match in matchers)]
    if validator.is_type(wanted, "object"):
        for name in surplus:
            yield from validator.descend(value[name], wanted, path=name)
    elif not wanted and surplus:
        yield ValidationError("additional properties are not allowed")


def _decimal(validator: Any, limits: Mapping[str, Any], value: object, _: object) -> Iterator[ValidationError]:
    if validator.is_type(value, "string") or validator.is_type(value, "number"):
        try:
            _decimals(json.dumps(limits, sort_keys=True)).validate_json(json.dumps(value))
        except PydanticError as error:
            yield ValidationError(error.errors()[0]["msg"])


@lru_cache(maxsize=256)
def _decimals(text: str) -> SchemaValidator:
    given = json.loads(text)
    limits: dict[str, Any] = {theirs: given[ours] for ours, theirs in _LIMITS.items() if ours in given}
    limits.update({name: Decimal(limits[name]) for name in _OF_DECIMALS if name in limits})
    try:
        return SchemaValidator(core_schema.decimal_schema(**limits))
    except SchemaError as error:
        raise ValueError(f"{DECIMAL}: {error}") from error


def _type(validator: Any, wanted: Any, value: object, schema: object) -> Iterator[ValidationError]:
    kinds = [wanted] if isinstance(wanted, str) else wanted
    if isinstance(value, int) and abs(value) > sys.float_info.max and "integer" not in kinds:
        yield ValidationError("is an integer beyond every float")
    else:
        yield from _STANDARD["type"](validator, wanted, value, schema)


_STANDARD: Final[Mapping[str, Any]] = Draft202012Validator.VALIDATORS
_KEYWORDS: Final = {
    "type": _type,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    DECIMAL: _decimal,
}
Dialect: Any = extend(Draft202012Validator, validators=_KEYWORDS)  # type: ignore[no-untyped-call]
