"""OpenAPI descriptions that FastAPI cannot derive from a call's signature: its body, refusals and examples."""

from collections import defaultdict
from typing import Any

from pydantic import BaseModel

from api.http.openapi_narrowing import use_property_names
from api.http.problems import CODES

Responses = dict[int | str, dict[str, Any]]

_ANY_CALL = ("invalid_request", "internal")
_WITH_KEY = ("unauthenticated", "forbidden", "unavailable")
BODY = ("invalid_json", "invalid_request", "payload_too_large", "unsupported_media_type", "unknown_field")


PAGE: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}}
"""Content of a response that is a page."""


def refusals(*codes: str, open_to_all: bool = False, pages: bool = False) -> Responses:
    """Describe the problem codes of a call, together with those that every call has. `pages`: people see HTML pages."""
    by_status = defaultdict[int, list[str]](list)
    for code in dict.fromkeys((*codes, *_ANY_CALL, *(() if open_to_all else _WITH_KEY))):
        by_status[CODES[code][0]].append(code)
    # No page sends a body that is neither JSON nor a form.
    return {status: _refusal(status, by_status[status], page=pages and status != 415) for status in sorted(by_status)}


def refusal(code: str) -> dict[str, Any]:
    """Describe the response with one problem code."""
    return _refusal(CODES[code][0], [code], page=False)


def _refusal(status: int, codes: list[str], *, page: bool) -> dict[str, Any]:
    schema = {"allOf": [{"$ref": "#/components/schemas/ProblemDocument"}, {"properties": {"code": {"enum": codes}}}]}
    examples = {code: {"value": _example(status, code)} for code in codes}
    return {
        "description": "; ".join(f"`{code}`: {CODES[code][1]}" for code in codes),
        "content": {"application/problem+json": {"schema": schema, "examples": examples}, **(PAGE if page else {})},
    }


def _example(status: int, code: str) -> dict[str, Any]:
    title = CODES[code][1]
    return {
        "type": f"urn:taxiway:problem:{code}",
        "title": title,
        "status": status,
        "detail": f"{title}.",
        "code": code,
    }


def request_body(
    model: type[BaseModel], example: dict[str, Any], *, required: bool = True, more: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Describe a JSON body that the call parses itself; `more` are further content types that it accepts."""
    schema = _inlined(model.model_json_schema())
    use_property_names(schema)
    content = {"application/json": {"schema": schema, "example": example}, **(more or {})}
    return {"requestBody": {"required": required, "content": content}}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace references by the models themselves: in the document they would point nowhere."""
    models = schema.pop("$defs", {})

    def put(part: Any) -> Any:
        if isinstance(part, list):
            return [put(one) for one in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return put(models[part["$ref"].rpartition("/")[2]])
        return {name: put(one) for name, one in part.items()}

    whole: dict[str, Any] = put(schema)
    return whole


def response(status: int, description: str, model: Any = None) -> Responses:
    """Describe a response that is not a refusal."""
    return {status: {"description": description} | ({"model": model} if model else {})}
