"""POST /v1/auth/{waitId}/complete: the outcome of an authorization performed by another system."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import Field

from api.consent.authorization import check_open, opened_by, shown
from api.consent.outcome import record_outcome
from api.http.body import body_within, json_object, small_limit
from api.http.fields import Text
from api.http.openapi_responses import BODY, refusals, request_body
from api.http.parsing import Body, read_as
from api.http.problems import Problem
from api.http.responses import Answer
from api.resources import Resources, resources
from api.shapes import AuthorizationBody

router = APIRouter(tags=["People"])

_EXAMPLE = {"token": "AZVzpG8rfB2eAEscXW5_gA.kq3…", "outcome": "authorized"}


class CompletionBody(Body):
    """The outcome of an authorization."""

    token: Annotated[Text, Field(max_length=200, description="The token that was appended to the URL.")]
    outcome: Literal["authorized", "denied", "failed"]
    error: Annotated[Text, Field(max_length=2000, description="The reason; kept with the run.")] | None = None


@router.post(
    "/v1/auth/{waitId}/complete",
    response_model=AuthorizationBody,
    summary="Complete an authorization of another system",
    responses=refusals(
        *BODY, "unavailable", "token_unknown", "token_used", "token_expired", "conflict", open_to_all=True
    ),
    openapi_extra=request_body(CompletionBody, _EXAMPLE),
)
def complete_authorization(
    waitId: str,  # noqa: N803  as the API spells it
    raw: Annotated[bytes, Depends(body_within(small_limit))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """Send the outcome to the run that asked with `url=`. The token is the credential, and works once."""
    body = read_as(CompletionBody, json_object(raw))
    found = opened_by(waitId, body.token)
    if not found.url:
        detail = f"This authorization is given at {found.holder.provider}: open its link."
        raise Problem("conflict", detail)
    check_open(found)
    if not record_outcome(found, body.outcome, body.error, shared):
        check_open(opened_by(waitId, body.token))
    return Answer(shown(opened_by(waitId, body.token)))
