"""OpenAPI schemas narrowed to what calls accept: what FastAPI derives from a signature allows more."""

from collections.abc import Iterator
from typing import Any

from api.http.fields import NO_NUL

UUID: dict[str, Any] = {"type": "string", "format": "uuid"}
_PRINTED: dict[str, Any] = {"type": "string", "format": "name", "minLength": 1, "maxLength": 200}
_PLAIN: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"}
# The schema of `name` in a path, by the start of the path.
_NAMES = {
    "/v1/agents/": _PRINTED,
    "/v1/queues/": _PRINTED,
    "/v1/runs/{runId}/signals/": _PRINTED | {"pattern": "^(?!taxiway[.])"},
    "/v1/windows/": _PLAIN,
    "/v1/schedules/": _PLAIN,
    "/v1/providers/": _PLAIN | {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
}


def narrow(paths: dict[str, Any]) -> None:
    """Narrow the parameters of every call: none is null, and texts get the pattern that the call accepts."""
    for path, operations in paths.items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _parameter(path, parameter)


def _parameter(path: str, parameter: dict[str, Any]) -> dict[str, Any]:
    schema = _without_null_choice(parameter["schema"])
    if parameter["in"] == "path" and parameter["name"].endswith("Id"):
        return schema | UUID
    if parameter["in"] == "path" and parameter["name"] == "name":
        return schema | next((rule for begin, rule in _NAMES.items() if path.startswith(begin)), {})
    for text in (schema, schema.get("items", {})):
        if text.get("type") == "string" and not text.keys() & {"enum", "pattern", "format"}:
            text["pattern"] = NO_NUL
    return schema


def _without_null_choice(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove the alternative null: a parameter is present or left out."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**choices[0], **rest}


def without_null(schema: dict[str, Any]) -> None:
    """Change an object's schema: each member may be left out, but none may be null."""
    for name, member in schema["properties"].items():
        schema["properties"][name] = _without_null_choice(
            {key: value for key, value in member.items() if key != "default"}
        )


def only_with(field: str, *others: str) -> dict[str, Any]:
    """Return the rule that a field is left out, or null, unless these other text fields are present."""
    given = {"required": list(others), "properties": {other: {"type": "string"} for other in others}}
    return {"anyOf": [{"properties": {field: {"type": "null"}}}, given]}


def not_both(one: str, other: str) -> dict[str, Any]:
    """Return the rule that one of two fields is left out, or null."""
    return {"anyOf": [{"properties": {field: {"type": "null"}}} for field in (one, other)]}


def use_property_names(part: Any) -> None:
    """Move a pattern of member names to `propertyNames`: pydantic writes it as `patternProperties`."""
    for schema in _schemas(part):
        patterns = schema.get("patternProperties", {})
        if len(patterns) == 1 and "additionalProperties" not in schema:
            [(pattern, schema["additionalProperties"])] = schema.pop("patternProperties").items()
            schema["propertyNames"] = {**schema.get("propertyNames", {}), "pattern": pattern}


def _schemas(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from _schemas(one)
