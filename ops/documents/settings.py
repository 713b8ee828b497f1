"""Writes `docs/settings.md` from `models.runtime.settings`."""

from __future__ import annotations

from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from models.runtime.settings import Settings

HEAD = """# Settings

Environment variables, read once at the start of each process and checked before the first connection. An invalid value ends the
process with a sentence that names the variable. All kinds of processes use the same variables.

| variable | values | default | meaning |
|---|---|---|---|
"""


def text() -> str:
    """Return the document."""
    prefix = Settings.model_config.get("env_prefix", "")
    rows = (_row(f"{prefix}{name}".upper(), field) for name, field in Settings.model_fields.items())
    return HEAD + "".join(f"{row}\n" for row in rows)


def _row(variable: str, field: FieldInfo) -> str:
    return f"| `{variable}` | {_values(field)} | {_default(field)} | {field.description} |"


def _values(field: FieldInfo) -> str:
    kinds = [kind for kind in _alternatives(field.annotation) if kind is not type(None)]
    names = [_kind_name(kind) for kind in kinds]
    return " or ".join(names) + _bounds(field)


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _kind_name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " ".join(f"`{value}`" for value in get_args(kind))
    bare = getattr(kind, "__origin__", kind)
    return {"str": "text", "int": "whole number", "float": "number", "bool": "`true` or `false`"}[bare.__name__]


def _bounds(field: FieldInfo) -> str:
    """Return the bounds of a field, like `, 3 to 300`."""
    bounds: dict[str, Any] = {}
    for rule in field.metadata:
        for side in ("ge", "le"):
            if getattr(rule, side, None) is not None:
                bounds[side] = getattr(rule, side)
    match bounds:
        case {"ge": least, "le": most}:
            return f", {least:,} to {most:,}"
        case {"ge": least}:
            return f", at least {least:,}"
        case _:
            return ""


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is None or default is PydanticUndefined or default == "":
        return ""
    return f"`{default}`"
