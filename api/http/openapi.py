"""The OpenAPI document: generated, complete, committed at docs/openapi.json (`python -m ops.generated`)."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic import TypeAdapter

from api.http.examples import EXAMPLES
from api.http.openapi_narrowing import narrow
from api.http.openapi_responses import refusal
from api.shapes import ProblemDocument


def document(app: FastAPI) -> dict[str, Any]:
    """Return the document, corrected where FastAPI is wrong: it describes errors that are never sent."""
    made = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, openapi_version="3.1.0"
    )
    schemas: dict[str, Any] = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = TypeAdapter(ProblemDocument).json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["ProblemDocument"] = problem
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    narrow(made["paths"])
    needed = _scopes(app)
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _correct(operation, needed.get((path, method.upper()), ()), reads=method == "get")
            _share_refusals(operation["responses"], made["components"].setdefault("responses", {}))
    return made


def _share_refusals(responses: dict[str, Any], shared: dict[str, Any]) -> None:
    """Write each set of refusals once and refer to it: most calls share theirs."""
    for status, response in responses.items():
        refusal = response.get("content", {}).get("application/problem+json")
        if refusal:
            page = "_or_page" if "text/html" in response["content"] else ""
            name = f"{status}_{'_or_'.join(refusal['examples'])}{page}"
            shared[name] = response
            responses[status] = {"$ref": f"#/components/responses/{name}"}


def _scopes(app: FastAPI) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return for each call that needs a key its scopes; one of them is enough."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        for dependency in dependant.dependencies if dependant else ():
            scopes = getattr(dependency.call, "scopes", None)
            if scopes is not None:
                found.update({(route.path_format or "", method): scopes for method in route.methods or ()})
    return found


def _correct(operation: dict[str, Any], scopes: Sequence[str], *, reads: bool) -> None:
    if "HTTPValidationError" in str(operation["responses"].get("422")):
        del operation["responses"]["422"]
    if reads and scopes:  # reads wait for their turn: `api.http.read_turns`
        operation["responses"]["429"] = refusal("rate_limited")
    operation["responses"] = dict(sorted(operation["responses"].items()))
    # Either header is enough; FastAPI would describe both as needed.
    operation.pop("security", None)
    if scopes:
        operation["security"] = [{header: [scope]} for scope in scopes for header in ("apiKey", "bearer")]


def install_openapi(app: FastAPI) -> None:
    """Serve this document at /openapi.json."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
