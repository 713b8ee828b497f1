"""GET /v1/auth/{waitId}/start and /v1/auth/callback/{provider}: the way to a provider and back, for a person with a browser.

The addresses of both carry secrets, so nobody writes them down: there is no access log, and pages and redirects tell no referrer.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.answers import PRIVATE, Answer
from api.consent.asked import Authorization, check_open, find, opened_by, shown, unknown
from api.consent.browser import check_remembered, remember
from api.consent.give import asks_for, changed, decide, give, provider_row
from api.consent.page import for_people, page, refused
from api.consent.returning import SHARED, callback_url, check_sender
from api.consent.state import State, new_state, read_state
from api.documented import PAGE, Responses, refusals, shows
from api.people.approval import wants_json
from api.people.links import authorization_link
from api.problems import Problem
from api.resources import Resources, resources
from api.shapes import AuthorizationBody
from models.errors import ProviderAway, ProviderRefused, SealBroken
from models.facts import fact
from models.oauth import Speaker, Tokens, error_name
from models.settings import settings

_BECAME: Responses = {
    200: {"description": "What became of it: a page, or JSON for who asks for that.", "content": PAGE}
}

router = APIRouter(tags=["People"], dependencies=[Depends(for_people)])


@dataclass(frozen=True, slots=True)
class Back:
    """What a provider sends back: a code or an error, for the state that it was given."""

    state: Annotated[str, Query(max_length=400)]
    code: Annotated[str | None, Query(max_length=4096)] = None
    error: Annotated[str | None, Query(max_length=200)] = None
    iss: Annotated[str | None, Query(max_length=2000, description="RFC 9207: which provider it is.")] = None


@dataclass(frozen=True, slots=True)
class _Answered:
    """An answer of the provider to which `begun` sent somebody; `speaker` speaks to that one."""

    begun: State
    found: Authorization
    speaker: Speaker


_SPENT = ("token_unknown", "token_used", "token_expired", "unknown_provider", "provider_failed", "unavailable")


@router.head("/v1/auth/callback", include_in_schema=False)
@router.head("/v1/auth/callback/{provider}", include_in_schema=False)
def look_at_callback(request: Request, state: Annotated[str, Query(max_length=400)]) -> Response:
    """Answer with the headers of GET's answer, and take nothing that a provider gave."""
    try:
        begun, found = _came_back(state)
        check_open(found)
        check_remembered(request, begun)
    except Problem as problem:
        return refused(request, problem)
    return _told(request, found, "Authorize", f"{found.run.agent} waits.")


@router.get(
    SHARED,
    response_model=AuthorizationBody,
    summary="Come back from a provider",
    responses=_BECAME | refusals("invalid_request", "conflict", *_SPENT, open_to_all=True, pages=True),
)
def finish_authorization(
    request: Request, shared: Annotated[Resources, Depends(resources)], back: Annotated[Back, Depends()]
) -> Response:
    """Take what a provider gave: the grant is stored, and every run that waits for it goes on.

    The browser must be the one that opened the link. This address is that of providers with `callback: "shared"`.
    """
    return _finish(request, shared, back, None)


# Before the address of a wait's start: `start` may be the name of a provider.
@router.get(
    f"{SHARED}/{{provider}}",
    response_model=AuthorizationBody,
    summary="Come back from a provider to its own address",
    responses=_BECAME | refusals("invalid_request", "conflict", *_SPENT, open_to_all=True, pages=True),
)
def finish_authorization_of_one(
    request: Request, shared: Annotated[Resources, Depends(resources)], back: Annotated[Back, Depends()], provider: str
) -> Response:
    """Take what this provider gave, as the shared address does; what another one gave is refused."""
    return _finish(request, shared, back, provider)


@router.get(
    "/v1/auth/{waitId}/start",
    status_code=303,
    response_class=RedirectResponse,
    response_model=None,
    summary="Begin to authorize",
    responses=shows(303, "To the provider, or to whoever carries the authorization out.")
    | refusals("invalid_request", *_SPENT, open_to_all=True, pages=True),
)
def start_authorization(
    request: Request,
    waitId: str,  # noqa: N803  as the API spells it
    token: Annotated[str, Query(description="From the link.")],
) -> Response:
    """Send a person to the provider (authorization code, PKCE). Nothing changes until they come back with this browser."""
    try:
        found = opened_by(waitId, token)
        check_open(found)
        return _away(_link(found)) if found.url else _to_provider(request, found)
    except Problem as problem:
        return refused(request, problem)


@router.head("/v1/auth/{waitId}/start", include_in_schema=False)
def look_at_start(request: Request, waitId: str, token: Annotated[str, Query()]) -> Response:  # noqa: N803  as above
    """Answer as GET does, which changes nothing either."""
    return start_authorization(request, waitId, token)


def _finish(request: Request, shared: Resources, back: Back, place: str | None) -> Response:
    again = None
    try:
        begun, found = _came_back(back.state)
        check_open(found)
        check_remembered(request, begun)
        again = _link(found)
        return _finished(request, _answered(begun, found, back, place), back, shared)
    except Problem as problem:
        return refused(request, problem, again)


def _answered(begun: State, found: Authorization, back: Back, place: str | None) -> _Answered:
    """Take what came back for the answer of the provider that the person was sent to, also where it is a refusal."""
    speaker = _speaker(found)
    if not begun.is_of(speaker.provider):
        raise changed(found)
    check_sender(speaker.provider, place, back.iss)
    return _Answered(begun, found, speaker)


def _came_back(text: str) -> tuple[State, Authorization]:
    begun = read_state(text)
    found = None if begun is None else find(begun.wait)
    if begun is None or found is None or not begun.genuine(found.wait.nonce):
        raise unknown()
    if found.now > begun.until and not found.closed:
        raise Problem("token_expired", "This took too long. Open the link once more, and nothing is lost.")
    return begun, found


def _finished(request: Request, answered: _Answered, back: Back, shared: Resources) -> Response:
    found, error = answered.found, back.error
    name, agent = found.holder.provider, found.run.agent
    if error == "access_denied":
        decide(found, "denied", error, shared)
        return _told(
            request, found, "Not authorized", f"You did not let {agent} act for you at {name}. It was told so."
        )
    if error is not None or not back.code:
        said = error_name(error) if error else "it sent no code"
        raise Problem("provider_failed", f"{name} did not authorize: {said}. {agent} still waits.")
    asked, tokens = _exchanged(answered, back.code)
    missing = give(found, tokens, asked, answered.speaker.giver, shared)
    if missing:
        text = f"{agent} still waits: it also needs {', '.join(missing)}."
        return _told(request, found, "Not everything was authorized", text, missing=missing, again=_link(found))
    return _told(request, found, "Authorized", f"{agent} goes on.")


def _exchanged(answered: _Answered, code: str) -> tuple[tuple[str, ...], Tokens]:
    found, speaker = answered.found, answered.speaker
    asked, redirect = asks_for(found, speaker.provider.scopes), callback_url(speaker.provider)
    try:
        return asked, speaker.exchange(redirect=redirect, code=code, verifier=answered.begun.verifier)
    except (ProviderAway, ProviderRefused) as failed:
        check_open(find(found.wait.id) or found)  # the same answer of the provider may have come twice
        fact("provider.failed", level="warning", provider=found.holder.provider, why=failed)
        raise Problem("provider_failed", f"{failed}. {found.run.agent} still waits; nothing is lost.") from None


def _to_provider(request: Request, found: Authorization) -> Response:
    speaker = _speaker(found)
    begun = new_state(found.wait.id, found.wait.nonce or "", found.now, speaker.provider)
    scopes, redirect = asks_for(found, speaker.provider.scopes), callback_url(speaker.provider)
    response = _away(
        speaker.authorization_url(redirect=redirect, scopes=scopes, state=begun.text(), verifier=begun.verifier)
    )
    remember(request, response, begun)
    return response


def _away(address: str) -> Response:
    return RedirectResponse(address, 303, PRIVATE)


def _speaker(found: Authorization) -> Speaker:
    name = found.holder.provider
    row = provider_row(name)
    if row is None:
        detail = (
            f"Nobody has introduced the provider {name!r} here yet: `taxiway providers put {name} …`. The run waits."
        )
        raise Problem("unknown_provider", detail)
    try:
        return Speaker.of(row, settings().secret_key)
    except SealBroken as broken:
        fact("provider.unreadable", level="error", provider=name, why=broken)
        detail = f"The client secret of {name} cannot be read: {broken}."
        raise Problem("provider_failed", detail) from None


def _link(found: Authorization) -> str:
    return authorization_link(found.wait.id, found.wait.nonce or "", found.url)


def _told(
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
