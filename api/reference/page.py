"""GET /docs: the OpenAPI document as a page, with Swagger UI from an installed package and no request to other servers.

The page needs no key, because it shows only the public document. `TAXIWAY_API_DOCS=false` turns it off.
"""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

from api.http.problems import Problem
from models.runtime.settings import settings

_HERE = Path(__file__).parent
_UI = files("fastapi_standalone_docs") / "static" / "swagger"

# No inline script, and no request to another server. Swagger UI loads its arrows from `data:`.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}
_PARTS = {
    "start.js": (_HERE, "text/javascript"),
    "swagger-ui-bundle.js": (_UI, "text/javascript"),
    "swagger-ui.css": (_UI, "text/css"),
}

router = APIRouter(include_in_schema=False)


@router.api_route("/docs", methods=["GET", "HEAD"])
def read_reference() -> Response:
    """Return the reference page."""
    _check_shown()
    return Response((_HERE / "page.html").read_bytes(), headers=_HEADERS, media_type="text/html")


@router.api_route("/docs/{part}", methods=["GET", "HEAD"])
def read_part_of_reference(part: str) -> Response:
    """Return a script or the style sheet of that page."""
    _check_shown()
    if part not in _PARTS:
        raise _nothing()
    place, media_type = _PARTS[part]
    return Response((place / part).read_bytes(), headers=_HEADERS, media_type=media_type)


def _check_shown() -> None:
    if not settings().api_docs:
        raise _nothing()


def _nothing() -> Problem:
    return Problem("not_found", "There is nothing at this address. The calls are listed at /openapi.json.")
