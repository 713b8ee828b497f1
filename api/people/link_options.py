"""OPTIONS on the addresses of links: the allowed methods. Link checkers change nothing."""

from fastapi import APIRouter
from starlette.responses import Response

from api.http.responses import PRIVATE

router = APIRouter(include_in_schema=False)


@router.options("/v1/runs/approval")
def approval_options() -> Response:
    """Return the methods of an approval's link."""
    return _allows("GET, HEAD, OPTIONS, POST")


@router.options("/v1/auth/{waitId}/start")
def start_options(waitId: str) -> Response:  # noqa: ARG001, N803  as the API spells it
    """Return the methods of an authorization's link."""
    return _allows("GET, HEAD, OPTIONS")


@router.options("/v1/auth/callback")
def callback_options() -> Response:
    """Return the methods of the providers' callback address."""
    return _allows("GET, HEAD, OPTIONS")


def _allows(methods: str) -> Response:
    return Response(status_code=204, headers={**PRIVATE, "allow": methods})
