"""JSON Schema (draft 2020-12) of an agent's input, made from its type hints."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from enum import Flag
from typing import Any, Final, assert_never

from taxiway.annotation_shapes import shape_of
from taxiway.encode import plain
from taxiway.errors import InvalidValue
from taxiway.shapes import (
    Anything,
    Bag,
    Bits,
    Choice,
    Fixed,
    Model,
    OneOf,
    Pairs,
    Record,
    Scalar,
    Sequence,
    Shape,
    Table,
)
from taxiway.text_types import Parsed

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_MOST_LISTED: Final = 1023
_SCALARS: Final = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def object_schema(parameters: dict[str, tuple[Shape, Any]], rest: Shape | None) -> Schema:
    """Return the schema of an object with a property for each parameter (shape, default or `inspect.Parameter.empty`).

    `rest` is the shape of all other properties; None allows no other.
    """
    writer = _Writer()
    properties: dict[str, Schema] = {}
    required: list[str] = []
    for name, (shape, default) in parameters.items():
        properties[name] = writer.write(shape)
        if default is inspect.Parameter.empty:
            required.append(name)
        else:
            properties[name] = _with_default(properties[name], {name: default}, name)
    schema: Schema = {"$schema": DIALECT, "type": "object", "properties": properties, "required": required}
    schema["additionalProperties"] = False if rest is None else (writer.write(rest) or True)
    if writer.definitions:
        schema["$defs"] = dict(sorted(writer.definitions.items()))
    return schema


def value_schema(shape: Shape, *, defaults: bool = True) -> Schema:
    """Return the schema of one value, such as an answer; without `defaults` it is as the first version wrote it."""
    writer = _Writer(defaults=defaults)
    schema: Schema = {"$schema": DIALECT, **writer.write(shape)}
    if writer.definitions:
        schema["$defs"] = dict(sorted(writer.definitions.items()))
    return schema


class _Writer:
    """Writes shapes, collecting classes under `$defs`, where they may refer to themselves."""

    def __init__(self, *, defaults: bool = True) -> None:
        self.definitions: dict[str, Schema] = {}
        self._defaults = defaults
        self._names: dict[Any, str] = {}

    def write(self, shape: Shape) -> Schema:  # noqa: C901, PLR0912 - one line for each shape
        """Return the schema of a shape."""
        match shape:
            case Anything():
                return {}
            case Scalar(kind):
                return {"type": _SCALARS[kind]}
            case Parsed(format=name, pattern=pattern):
                return {"type": "string", "format": name} | ({} if pattern is None else {"pattern": pattern})
            case Choice(options):
                return {"enum": [plain(constant) for constant, _ in options]}
            case Bits(kind):
                return self._bits(kind)
            case Sequence(item):
                return {"type": "array", "items": self.write(item)}
            case Bag(item):
                return {"type": "array", "items": self.write(item), "uniqueItems": True}
            case Fixed(items, build):
                return self._fixed(items, getattr(build, "__self__", None))
            case Table(value):
                return {"type": "object", "additionalProperties": self.write(value) or True}
            case Pairs(key, value):
                return {"type": "array", "items": self._fixed((key, value), None)}
            case OneOf(options):
                return {"anyOf": [self.write(option) for option in options]}
            case Record(kind=kind):
                return self._defined(kind, lambda: self._record(shape))
            case Model(kind):
                return self._defined(kind, lambda: self._model(kind))
            case _:
                assert_never(shape)

    def _bits(self, kind: type[Flag]) -> Schema:
        most = sum(flag.value for flag in kind)
        schema: Schema = {"type": "integer", "minimum": 0, "maximum": most}
        if self._defaults and most <= _MOST_LISTED:
            known = [number for number in range(most + 1) if _is_of(kind, number)]
            return schema if len(known) == most + 1 else {"enum": known}
        return schema

    def _fixed(self, items: tuple[Shape, ...], named: Any) -> Schema:
        schema: Schema = {"type": "array", "minItems": len(items), "maxItems": len(items)}
        if items:
            schema["prefixItems"] = [self.write(item) for item in items]
        if self._defaults and items and named is not None:  # a NamedTuple: its members have names and may have defaults
            titled = {
                name: {"title": name, **item} for name, item in zip(named._fields, schema["prefixItems"], strict=True)
            }
            schema["prefixItems"] = [_with_default(titled[name], named._field_defaults, name) for name in titled]
        return schema

    def _defined(self, kind: Any, write: Any) -> Schema:
        if kind not in self._names:
            self._names[kind] = self._free_name(kind)
            self.definitions[self._names[kind]] = {}  # reserves the name: the class below may refer to itself
            self.definitions[self._names[kind]] = write()
        return {"$ref": f"#/$defs/{self._names[kind]}"}

    def _record(self, record: Record) -> Schema:
        fields = [field for field in record.fields if field.init]
        properties = {field.name: self.write(shape_of(field.annotation)) for field in fields}
        if self._defaults and dataclasses.is_dataclass(record.kind):
            given = {f.name: f.default for f in dataclasses.fields(record.kind) if f.default is not dataclasses.MISSING}
            properties = {name: _with_default(schema, given, name) for name, schema in properties.items()}
        return {
            "type": "object",
            "properties": properties,
            "required": [field.name for field in fields if field.required],
            "additionalProperties": False,
        }

    def _model(self, kind: Any) -> Schema:
        from taxiway.pydantic_models import schema_of  # noqa: PLC0415 - it needs pydantic

        schema: Schema = schema_of(kind, whole=self._defaults)
        nested: Schema = schema.pop("$defs", {})
        # pydantic's references start at the root of its own document, which becomes a part of ours.
        prefix = self._names[kind]
        self.definitions.update({f"{prefix}.{name}": _moved(part, prefix) for name, part in nested.items()})
        moved: Schema = _moved(schema, prefix)
        return moved

    def _free_name(self, kind: Any) -> str:
        name = kind.__name__.replace("[", "_").replace("]", "_")
        return name if name not in self.definitions else f"{kind.__module__}.{kind.__qualname__}"


def _is_of(kind: type[Flag], number: int) -> bool:
    try:
        return kind(number) is not None
    except ValueError:
        return False


def _moved(part: Any, prefix: str) -> Any:
    if isinstance(part, dict):
        moved = {key: _moved(value, prefix) for key, value in part.items()}
        reference = part.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/$defs/"):
            moved["$ref"] = f"#/$defs/{prefix}.{reference.removeprefix('#/$defs/')}"
        return moved
    return [_moved(item, prefix) for item in part] if isinstance(part, list) else part


def _with_default(schema: Schema, defaults: Mapping[str, Any], name: str) -> Schema:
    try:
        return {**schema, "default": plain(defaults[name])} if name in defaults else schema
    except InvalidValue:
        return schema  # JSON cannot hold the default: it is left out
