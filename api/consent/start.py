"""GET /v1/auth/{waitId}/start: redirects a person to a provider, or to the other system that performs the authorization.

The address carries secrets, so it is never recorded: there is no access log, and pages and redirects send no referrer.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.consent.authorization import Authorization, check_open, opened_by
from api.consent.browser import remember
from api.consent.callback_address import callback_url
from api.consent.outcome import requested_scopes
from api.consent.provider_client import SPENT, provider_client
from api.consent.state import new_state
from api.http.openapi_responses import refusals, response
from api.http.problems import Problem
from api.http.responses import PRIVATE
from api.page.authorization_page import for_people, refused

router = APIRouter(tags=["People"], dependencies=[Depends(for_people)])


@router.get(
    "/v1/auth/{waitId}/start",
    status_code=303,
    response_class=RedirectResponse,
    response_model=None,
    summary="Start an authorization",
    responses=response(303, "To the provider, or to the other system that performs the authorization.")
    | refusals("invalid_request", *SPENT, open_to_all=True, pages=True),
)
def start_authorization(
    request: Request,
    waitId: str,  # noqa: N803  as the API spells it
    token: Annotated[str, Query(description="From the link.")],
) -> Response:
    """Redirect a person to the provider (authorization code, PKCE). Nothing changes until they return with this browser."""
    try:
        found = opened_by(waitId, token)
        check_open(found)
        return _away(found.link) if found.url else _to_provider(request, found)
    except Problem as problem:
        return refused(request, problem)


@router.head("/v1/auth/{waitId}/start", include_in_schema=False)
def look_at_start(request: Request, waitId: str, token: Annotated[str, Query()]) -> Response:  # noqa: N803  as above
    """Answer like GET, which changes nothing either."""
    return start_authorization(request, waitId, token)


def _to_provider(request: Request, found: Authorization) -> Response:
    speaker = provider_client(found)
    begun = new_state(found.wait.id, found.wait.nonce or "", found.now, speaker.provider)
    scopes, redirect = requested_scopes(found, speaker.provider.scopes), callback_url(speaker.provider)
    response = _away(
        speaker.authorization_url(redirect=redirect, scopes=scopes, state=begun.text(), verifier=begun.verifier)
    )
    remember(request, response, begun)
    return response


def _away(address: str) -> Response:
    return RedirectResponse(address, 303, PRIVATE)
