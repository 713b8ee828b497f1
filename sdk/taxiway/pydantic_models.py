"""Pydantic models and types in JSON, by pydantic's own rules for a round trip."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pydantic
import pydantic.json_schema

from taxiway.encode import place
from taxiway.errors import UnknownType
from taxiway.integers import with_integers
from taxiway.pydantic_schema import ModelSchema


@functools.lru_cache(maxsize=1024)
def adapter_of(kind: Any) -> pydantic.TypeAdapter[Any]:
    """Return the adapter that reads and writes a model."""
    return pydantic.TypeAdapter(kind)


def check(kind: Any) -> None:
    """Raise UnknownType for a class that pydantic cannot describe in JSON, such as a model that holds an open file."""
    try:
        adapter_of(kind)
        try:
            adapter_of(kind).json_schema(mode="validation")
        except pydantic.errors.PydanticInvalidForJsonSchema:
            adapter_of(kind).json_schema(mode="serialization")
    except (pydantic.errors.PydanticUserError, NameError) as error:
        why = str(error).partition("\n")[0]
        raise UnknownType(f"{kind.__qualname__} has no counterpart in JSON: {why}") from error


def schema_of(kind: Any, *, whole: bool = True) -> dict[str, Any]:
    """Return the JSON Schema of a model's input; without `whole` it is pydantic's own, which is less strict."""
    return adapter_of(kind).json_schema(
        mode="validation", schema_generator=ModelSchema if whole else pydantic.json_schema.GenerateJsonSchema
    )


def written(kind: Any, value: Any, *, shown: bool) -> Iterator[Any]:
    """Yield the JSON forms of a value, the fullest first; `shown` adds a form with computed fields."""
    for round_trip in (False, True) if shown else (True,):
        try:
            yield adapter_of(kind).dump_python(value, mode="json", by_alias=True, round_trip=round_trip, warnings=False)
        except Exception:  # noqa: BLE001, S112 - a model's own serialiser may raise anything: skip this form
            continue


def read(kind: Any, value: Any) -> Any:
    """Return the model of a JSON value; raise pydantic's error for an invalid one."""
    try:
        return adapter_of(kind).validate_json(json.dumps(value))
    except pydantic.ValidationError as error:
        # Strict models, and those of large numbers, do not read 1.0 as an integer, as JSON Schema does.
        whole = with_integers(value, [problem["loc"] for problem in error.errors(include_url=False)])
        if whole is None:
            raise
        return read(kind, whole)


def problem_of(error: Exception) -> tuple[str, str]:
    """Return the place and the text of a model's first problem, without quoting the value."""
    if not isinstance(error, pydantic.ValidationError):
        return "", str(error)
    first, *others = error.errors(include_url=False, include_context=False, include_input=False)
    more = f" (and {len(others)} more)" if others else ""
    return "".join(map(place, first["loc"])), first["msg"] + more


def read_leniently(kind: Any, value: Any) -> Any:
    """Return the model of a JSON value, even of one written by field names and with computed fields."""
    try:
        return read(kind, value)
    except ValueError:
        if not (isinstance(value, dict) and hasattr(kind, "model_computed_fields")):
            raise
        given = {name: part for name, part in value.items() if name not in kind.model_computed_fields}
        return adapter_of(kind).validate_json(json.dumps(given), by_alias=True, by_name=True)


def state_of(value: Any) -> dict[str, Any] | None:
    """Return all parts of a model, None for any other value."""
    if hasattr(value, "get_secret_value"):
        return {"secret": value.get_secret_value()}
    if not isinstance(value, pydantic.BaseModel):
        return None
    state: dict[str, Any] = value.__getstate__()
    parts = {
        "fields": state["__dict__"],
        "set": sorted(state["__pydantic_fields_set__"]),
        "extra": state.get("__pydantic_extra__"),  # a root model has neither
        "private": state.get("__pydantic_private__"),
    }
    return {name: part for name, part in parts.items() if part}


def restored(kind: Any, state: dict[str, Any]) -> Any:
    """Return the model with these parts."""
    if hasattr(kind, "get_secret_value"):
        return kind(state["secret"])
    if not issubclass(kind, pydantic.BaseModel):
        raise TypeError(f"{kind.__qualname__} is no model")
    value = kind.__new__(kind)
    value.__setstate__(
        {
            "__dict__": state.get("fields", {}),
            "__pydantic_fields_set__": set(state.get("set", ())),
            "__pydantic_extra__": state.get("extra", {} if kind.model_config.get("extra") == "allow" else None),
            "__pydantic_private__": state.get("private"),
        }
    )
    return value


def parts_of(value: Any) -> dict[str, Any] | None:
    """Return the parts that are equal in equal models, None for any other value."""
    state = state_of(value)
    if state is not None:
        state.pop("set", None)
    return state
