"""JSON Schema of a pydantic model, stricter than pydantic's own: pydantic reads every value that fits it.

Only the conditions of a model's own validators are missing, which a schema cannot express.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

DECIMAL: Final = "x-taxiway-decimal"
"""A keyword of Taxiway: the limits of a decimal number, written as a text or as a number."""

_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_DAY: Final = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_SECONDS: Final = r"(:[0-5][0-9]([.][0-9]{1,9})?)?"
_OFFSET: Final = rf"(Z|[-+]{_CLOCK})"
_ZONES: Final = {None: f"{_OFFSET}?", "aware": _OFFSET, "naive": ""}
# In Python, `$` alone also matches before a line's end.
_END: Final = r"(?!\n)$"
_KEYS: Final = {"int": f"^[-+]?[0-9]+{_END}", "float": rf"^[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]{{1,2}})?{_END}"}
_FLAGS: Final = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x", re.ASCII: "a"}
_DECIMAL_LIMITS: Final = {
    "ge": "ge",
    "gt": "gt",
    "le": "le",
    "lt": "lt",
    "multiple_of": "multipleOf",
    "max_digits": "maxDigits",
    "decimal_places": "decimalPlaces",
    "allow_inf_nan": "allowInfNan",
}


class ModelSchema(GenerateJsonSchema):
    """The JSON Schema of a model's input."""

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        """Apply the limits to texts too, and exactly to numbers: `multipleOf` alone would use binary fractions."""
        written = super().decimal_schema(schema)
        for option in written.get("anyOf", ()):
            option.pop("multipleOf", None)
        limits = {ours: schema[theirs] for theirs, ours in _DECIMAL_LIMITS.items() if schema.get(theirs) is not None}
        return {**written, DECIMAL: {name: _exactly(limit) for name, limit in limits.items()}}

    def datetime_schema(self, schema: Any) -> dict[str, Any]:
        """Add the pattern of the moments that pydantic reads, with or without an offset."""
        pattern = f"^{_DAY}[Tt ]{_CLOCK}{_SECONDS}{_zone(schema)}{_END}"
        return _with_pattern(super().datetime_schema(schema), pattern)

    def time_schema(self, schema: Any) -> dict[str, Any]:
        """Add the pattern of the times of day that pydantic reads."""
        return _with_pattern(super().time_schema(schema), f"^{_CLOCK}{_SECONDS}{_zone(schema)}{_END}")

    def str_schema(self, schema: Any) -> dict[str, Any]:
        """Add the flags of a compiled pattern."""
        written = super().str_schema(schema)
        if isinstance(pattern := schema.get("pattern"), re.Pattern):
            flags = "".join(letter for flag, letter in _FLAGS.items() if pattern.flags & flag)
            written["pattern"] = f"(?{flags}){pattern.pattern}" if flags else pattern.pattern
        return written

    def url_schema(self, schema: Any) -> dict[str, Any]:
        """Name the schemes."""
        return _with_schemes(super().url_schema(schema), schema)

    def multi_host_url_schema(self, schema: Any) -> dict[str, Any]:
        """Name the schemes."""
        return _with_schemes(super().multi_host_url_schema(schema), schema)

    def tagged_union_schema(self, schema: Any) -> dict[str, Any]:
        """Require the tag: it selects the alternative, even if the alternative has a default for it."""
        written = super().tagged_union_schema(schema)
        tag = written.get("discriminator", {}).get("propertyName")
        return {**written, "type": "object", "required": [tag]} if isinstance(tag, str) else written

    def model_fields_schema(self, schema: Any) -> dict[str, Any]:
        """Check the types of members that are read by other names than the shown one, as pattern properties.

        Forms show the plain properties only.
        """
        written = super().model_fields_schema(schema)
        properties = written.get("properties", {})
        twice = []
        by_name = self._config.validate_by_name or self._config.populate_by_name
        for name, field in schema["fields"].items():
            shown = self._get_alias_name(field, name)
            others = _names(field) | ({name} if by_name else set())
            for other in sorted(others - properties.keys()) if shown in properties else ():
                written.setdefault("patternProperties", {})[f"^{re.escape(other)}$"] = properties[shown]
                twice.append({"required": [shown, other]})
        return {**written, "not": {"anyOf": twice}} if twice else written

    def dict_schema(self, schema: Any) -> dict[str, Any]:
        """Check the type of all keys."""
        written = super().dict_schema(schema)
        kind = schema.get("keys_schema", {}).get("type")
        for pattern, values in written.pop("patternProperties", {}).items():
            written["additionalProperties"] = values
            written["propertyNames"] = {**written.get("propertyNames", {}), "pattern": pattern}
        if kind in _KEYS:
            written["propertyNames"] = {"pattern": _KEYS[kind]}
        return written


def _names(field: Any) -> set[str]:
    """Return the names that a field is read by, without paths into other members."""
    alias = field.get("validation_alias")
    paths = alias if isinstance(alias, list) else []
    return {path[0] for path in paths if isinstance(path, list) and len(path) == 1 and isinstance(path[0], str)}


def _exactly(limit: Any) -> Any:
    return str(limit) if isinstance(limit, Decimal) else limit


def _zone(schema: Any) -> str:
    return _ZONES.get(schema.get("tz_constraint"), _OFFSET)


def _with_pattern(written: dict[str, Any], pattern: str) -> dict[str, Any]:
    return {**written, "pattern": pattern} if written.get("type") == "string" else written


def _with_schemes(written: dict[str, Any], schema: Any) -> dict[str, Any]:
    schemes = schema.get("allowed_schemes")
    if not schemes:
        return written
    letters = ("".join(f"[{c}{c.upper()}]" if c.isalpha() else re.escape(c) for c in scheme) for scheme in schemes)
    return {**written, "pattern": f"^({'|'.join(letters)}):{'//[^/?#]' if schema.get('host_required') else ''}"}
