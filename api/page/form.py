"""Form for an answer, made from its JSON Schema; a part without a suitable field is typed as JSON."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from api.json_schema.dialect import DECIMAL, matcher
from api.page.field import ROOT, Field, Kind, Option
from api.page.prefill import prefilled

Schema = Mapping[str, Any]

_DEEPEST = 4
_MOST_FIELDS = 60
_MANY_CHARACTERS = 200
_NULL = {"type": "null"}
_SCALARS = {"integer": Kind.INTEGER, "number": Kind.NUMBER, "boolean": Kind.TRUTH, "string": Kind.LINE}
_FORMATS = {
    "date": Kind.DATE,
    "date-time": Kind.MOMENT,
    "time": Kind.TIME,
    "textarea": Kind.LINES,
    "multi-line": Kind.LINES,
}
_IN_LISTS = (Kind.LINE, Kind.INTEGER, Kind.NUMBER)
_IN_UTC = "2026-12-31T18:30:00Z"
_WORD = re.compile(r"[a-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")


def form_of(schema: Schema) -> Field:
    """Return the field for the whole answer: a group if it has parts."""
    as_json = Field(Kind.JSON, ROOT, "Your answer", hint="As JSON.", schema=_shown(schema))
    try:
        field = _SchemaConverter(schema).field(schema, ROOT, "Your answer", depth=_DEEPEST, seen=())
    except (TypeError, ValueError, AttributeError):  # not a schema at all: the question can still be answered
        return as_json
    if sum(1 for _ in field.leaves()) > _MOST_FIELDS:
        return as_json
    # A single text answer may be several sentences.
    return replace(field, kind=Kind.LINES) if field.kind is Kind.LINE and "maxLength" not in schema else field


class _SchemaConverter:
    """Converts the parts of one schema to fields."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def field(
        self, schema: Any, name: str, label: str, *, depth: int, seen: tuple[str, ...], required: bool = True
    ) -> Field:
        """Return the field of a part; `seen` are the enclosing definitions, which must not contain themselves."""
        plain, nullable, seen = self._resolved(schema, seen)
        made = self._shaped(plain, name, depth, seen)
        # Only its own title: the title of a referenced class says less than the member's name, and two members may share it.
        title = schema.get("title") if isinstance(schema, dict) else None
        about = {**made, "label": str(title or label), "hint": _hint(plain, made["kind"])}
        field = Field(name=name, required=required, nullable=nullable, default=plain.get("default"), **about)
        return prefilled(field, plain["default"]) if "default" in plain else field

    def _resolved(self, schema: Any, seen: tuple[str, ...]) -> tuple[Schema, bool, tuple[str, ...]]:
        """Return the schema behind references and `or null`, whether null is allowed, and the definitions passed."""
        nullable = False
        for _ in range(10):
            if not isinstance(schema, dict):
                return {}, nullable, seen
            rest = {
                name: value
                for name, value in schema.items()
                if name not in ("$ref", "anyOf", "oneOf", "allOf", "$defs")
            }
            if "$ref" in schema:
                if schema["$ref"] in seen:
                    return {}, nullable, seen
                seen = (*seen, schema["$ref"])
                inner = self._definition(schema["$ref"])
            elif "anyOf" in schema or "oneOf" in schema or "allOf" in schema:
                options = [option for key in ("anyOf", "oneOf", "allOf") for option in schema.get(key, [])]
                others = [option for option in options if option != _NULL]
                nullable = nullable or len(others) < len(options)
                inner = _one_of(others)
            else:
                break
            schema = {**inner, **rest}
        types = schema.get("type")
        if isinstance(types, list) and "null" in types:
            others = [name for name in types if name != "null"]
            schema, nullable = {**schema, "type": others[0] if len(others) == 1 else others}, True
        return schema, nullable, seen

    def _definition(self, reference: Any) -> Schema:
        found: Any = self._root
        for part in str(reference).removeprefix("#").split("/")[1:]:
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
        return found if isinstance(found, dict) and str(reference).startswith("#") else {}

    def _shaped(self, schema: Schema, name: str, depth: int, seen: tuple[str, ...]) -> dict[str, Any]:
        if options := _options(schema):
            return {"kind": Kind.CHOICE, "options": options}
        if DECIMAL in schema:  # as text, which keeps all digits
            return {"kind": Kind.LINE}
        match schema.get("type"):
            case "object" if schema.get("properties") and depth and not schema.get("additionalProperties"):
                return {"kind": Kind.GROUP, "fields": self._members(schema, name, depth, seen)}
            case "array" if depth and _has_names(schema):
                return {"kind": Kind.GROUP, "fields": self._places(schema, name, depth, seen), "listed": True}
            case "array":
                return self._list(schema, seen) or {"kind": Kind.JSON, "schema": _shown(schema)}
            case "string":
                return {"kind": _text_kind(schema)}
            case "integer" | "number" | "boolean" as scalar:
                return {"kind": _SCALARS[scalar]}
        return {"kind": Kind.JSON, "schema": _shown(schema)}

    def _members(self, schema: Schema, name: str, depth: int, seen: tuple[str, ...]) -> tuple[Field, ...]:
        needed = schema.get("required", ())
        return tuple(
            self.field(part, f"{name}.{key}", spoken(key), depth=depth - 1, seen=seen, required=key in needed)
            for key, part in schema["properties"].items()
        )

    def _places(self, schema: Schema, name: str, depth: int, seen: tuple[str, ...]) -> tuple[Field, ...]:
        return tuple(
            self.field(
                {**part, "title": None}, f"{name}[{place}]", spoken(part["title"]), depth=depth - 1, seen=seen,
                required="default" not in part,
            )
            for place, part in enumerate(schema["prefixItems"])
        )  # fmt: skip

    def _list(self, schema: Schema, seen: tuple[str, ...]) -> dict[str, Any] | None:
        item, nullable, _ = self._resolved(schema.get("items"), seen)
        if nullable or "prefixItems" in schema:
            return None
        if options := _options(item):
            return {"kind": Kind.CHOICES, "options": options}
        kind = _SCALARS.get(str(item.get("type")))
        return {"kind": Kind.LIST, "item": kind} if kind in _IN_LISTS else None


def spoken(name: str) -> str:
    """Return a member's name as a label: `order_id` and `orderId` become `Order id`; any other name stays as it is."""
    if not _WORD.fullmatch(name):
        return name
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).split("_")
    said = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)
    return said[:1].upper() + said[1:]


def _has_names(schema: Schema) -> bool:
    """Return whether it is a list of fixed length whose items all have titles: a NamedTuple."""
    items = schema.get("prefixItems") or ()
    titled = all(isinstance(item, dict) and isinstance(item.get("title"), str) for item in items)
    return bool(items) and titled and schema.get("minItems") == schema.get("maxItems") == len(items)


def _one_of(options: list[Any]) -> Schema:
    if len(options) == 1 and isinstance(options[0], dict):
        return options[0]
    if options and all(option in ({"type": "integer"}, {"type": "number"}) for option in options):
        return {"type": "number"}
    return {}


def _options(schema: Schema) -> tuple[Option, ...]:
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(values, list):
        return ()
    return tuple(Option(value, value if isinstance(value, str) and value else _shown(value)) for value in values)


def _text_kind(schema: Schema) -> Kind:
    kind = _FORMATS.get(str(schema.get("format")), Kind.LINE)
    if kind is Kind.MOMENT and "pattern" in schema and not matcher(schema["pattern"])(_IN_UTC):
        kind = Kind.LINE  # a time without an offset is typed as text
    long = schema.get("maxLength", 0) > _MANY_CHARACTERS or "contentMediaType" in schema
    return Kind.LINES if long and kind is Kind.LINE else kind


def _hint(schema: Schema, kind: Kind) -> str | None:
    hints = [str(schema["description"])] if schema.get("description") else []
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        hints.append(f"From {least} to {most}.")
    elif least is not None:
        hints.append(f"{least} or more.")
    elif most is not None:
        hints.append(f"{most} or less.")
    ours = {Kind.MOMENT: "Date and time in UTC.", Kind.LIST: "One per line.", Kind.JSON: "As JSON."}
    return " ".join([*hints, *([ours[kind]] if kind in ours else [])]) or None


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
