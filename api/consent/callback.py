"""GET /v1/auth/callback and /v1/auth/callback/{provider}: a person returns from a provider, with a code or an error.

The address carries secrets, so it is never recorded: there is no access log, and pages send no referrer.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from api.consent.authorization import Authorization, check_open, find, shown, unknown
from api.consent.browser import check_remembered
from api.consent.callback_address import SHARED_CALLBACK, callback_url, check_sender
from api.consent.outcome import provider_changed, record_outcome, requested_scopes, store_grant
from api.consent.provider_client import SPENT, provider_client
from api.consent.state import State, read_state
from api.http.openapi_responses import PAGE, Responses, refusals
from api.http.problems import Problem
from api.http.responses import Answer
from api.page.approval import wants_json
from api.page.authorization_page import for_people, page, refused
from api.resources import Resources, resources
from api.shapes import AuthorizationBody
from models.authorization.oauth_client import Speaker, Tokens, error_name
from models.errors import ProviderAway, ProviderRefused
from models.runtime.facts import fact

_BECAME: Responses = {200: {"description": "The outcome: a page, or JSON if the request asks for it.", "content": PAGE}}

router = APIRouter(tags=["People"], dependencies=[Depends(for_people)])


@dataclass(frozen=True, slots=True)
class CallbackQuery:
    """What a provider sends back for a state: a code or an error."""

    state: Annotated[str, Query(max_length=400)]
    code: Annotated[str | None, Query(max_length=4096)] = None
    error: Annotated[str | None, Query(max_length=200)] = None
    iss: Annotated[str | None, Query(max_length=2000, description="RFC 9207: the provider's issuer.")] = None


@dataclass(frozen=True, slots=True)
class _Answered:
    """An answer of the provider to which `begun` sent a person; `speaker` is the client of that provider."""

    begun: State
    found: Authorization
    speaker: Speaker


@router.head("/v1/auth/callback", include_in_schema=False)
@router.head("/v1/auth/callback/{provider}", include_in_schema=False)
def look_at_callback(request: Request, state: Annotated[str, Query(max_length=400)]) -> Response:
    """Answer with the headers of GET's answer; no code is exchanged."""
    try:
        begun, found = _read_callback(state)
        check_open(found)
        check_remembered(request, begun)
    except Problem as problem:
        return refused(request, problem)
    return _answer(request, found, "Authorize", f"{found.run.agent} waits.")


@router.get(
    SHARED_CALLBACK,
    response_model=AuthorizationBody,
    summary="Return from a provider",
    responses=_BECAME | refusals("invalid_request", "conflict", *SPENT, open_to_all=True, pages=True),
)
def finish_authorization(
    request: Request, shared: Annotated[Resources, Depends(resources)], back: Annotated[CallbackQuery, Depends()]
) -> Response:
    """Exchange the provider's code: the grant is stored, and every run that waits for it continues.

    The browser must be the one that opened the link. Providers with `callback: "shared"` use this address.
    """
    return _finish(request, shared, back, None)


# Before the address of a wait's start: `start` may be the name of a provider.
@router.get(
    f"{SHARED_CALLBACK}/{{provider}}",
    response_model=AuthorizationBody,
    summary="Return from a provider to its own address",
    responses=_BECAME | refusals("invalid_request", "conflict", *SPENT, open_to_all=True, pages=True),
)
def finish_authorization_of_one(
    request: Request,
    shared: Annotated[Resources, Depends(resources)],
    back: Annotated[CallbackQuery, Depends()],
    provider: str,
) -> Response:
    """Exchange this provider's code as the shared address does; answers of other providers are refused."""
    return _finish(request, shared, back, provider)


def _finish(request: Request, shared: Resources, back: CallbackQuery, place: str | None) -> Response:
    again = None
    try:
        begun, found = _read_callback(back.state)
        check_open(found)
        check_remembered(request, begun)
        again = found.link
        return _finished(request, _answered(begun, found, back, place), back, shared)
    except Problem as problem:
        return refused(request, problem, again)


def _answered(begun: State, found: Authorization, back: CallbackQuery, place: str | None) -> _Answered:
    """Check that the answer, a code or an error, is of the provider to which the person was sent."""
    speaker = provider_client(found)
    if not begun.is_of(speaker.provider):
        raise provider_changed(found)
    check_sender(speaker.provider, place, back.iss)
    return _Answered(begun, found, speaker)


def _read_callback(text: str) -> tuple[State, Authorization]:
    begun = read_state(text)
    found = None if begun is None else find(begun.wait)
    if begun is None or found is None or not begun.genuine(found.wait.nonce):
        raise unknown()
    if found.now > begun.until and not found.closed:
        raise Problem("token_expired", "This took too long. Open the link again; nothing is lost.")
    return begun, found


def _finished(request: Request, answered: _Answered, back: CallbackQuery, shared: Resources) -> Response:
    found, error = answered.found, back.error
    name, agent = found.holder.provider, found.run.agent
    if error == "access_denied":
        record_outcome(found, "denied", error, shared)
        return _answer(
            request,
            found,
            "Not authorized",
            f"You did not allow {agent} to act for you at {name}. It receives your decision.",
        )
    if error is not None or not back.code:
        said = error_name(error) if error else "no code was sent"
        raise Problem("provider_failed", f"{name} did not authorize: {said}. {agent} still waits.")
    asked, tokens = _exchanged(answered, back.code)
    missing = store_grant(found, tokens, asked, answered.speaker.giver, shared)
    if missing:
        text = f"{agent} still waits: it also needs {', '.join(missing)}."
        return _answer(request, found, "Not all permissions were given", text, missing=missing, again=found.link)
    return _answer(request, found, "Authorized", f"{agent} continues.")


def _exchanged(answered: _Answered, code: str) -> tuple[tuple[str, ...], Tokens]:
    found, speaker = answered.found, answered.speaker
    asked, redirect = requested_scopes(found, speaker.provider.scopes), callback_url(speaker.provider)
    try:
        return asked, speaker.exchange(redirect=redirect, code=code, verifier=answered.begun.verifier)
    except (ProviderAway, ProviderRefused) as failed:
        check_open(find(found.wait.id) or found)  # the same answer may have arrived twice
        fact("provider.failed", level="warning", provider=found.holder.provider, why=failed)
        raise Problem("provider_failed", f"{failed}. {found.run.agent} still waits; nothing is lost.") from None


def _answer(
    request: Request,
    found: Authorization,
    title: str,
    text: str,
    *,
    missing: tuple[str, ...] = (),
    again: str | None = None,
) -> Response:
    if wants_json(request):
        return Answer(shown(find(found.wait.id) or found, missing))
    return page(title, text, again=again)
