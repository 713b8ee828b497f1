"""GET and POST /v1/runs/approval: the question of a link, and the decision of its holder. The token is the credential.

Browsers, mail scanners and chat previews fetch links before any person does. So a GET decides only if it names the decision
*and* asks explicitly for JSON. Every other GET changes nothing. A request that does not ask for JSON gets a page with buttons
that POST.
"""

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from api.http.body import body_within, is_form, json_object, small_limit
from api.http.error_handlers import refuse_with
from api.http.openapi_responses import BODY, PAGE, Responses, refusals, request_body
from api.http.parsing import read_as
from api.http.problems import invalid
from api.http.responses import Answer
from api.page.outcome_page import outcome_page, problem_page
from api.page.question_page import Typed, question_page
from api.page.submission import answer
from api.people.decide import asked_by, decide_by_token
from api.people.decision_body import MAX_COMMENT, DecisionBody, TokenDecisionBody
from api.people.question import shown
from api.resources import Resources, resources
from api.shapes import ApprovalBody


async def _as_it_came(request: Request) -> None:
    """Answer people with a page also for errors."""
    if is_form(request) or (request.method in ("GET", "HEAD") and not wants_json(request)):
        refuse_with(request, problem_page)


router = APIRouter(tags=["People"], dependencies=[Depends(_as_it_came)])

_SPENT = ("token_unknown", "token_used", "token_expired", "invalid_answer")
_EXAMPLE = {"token": "AZVzpG8rfB2eAEscXW5_gA.kq3…", "decision": "approve", "comment": "as ordered"}
_BY_GET = ("approve", "deny")
_AS_FORM: dict[str, Any] = {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}
_SHOWS: Responses = {200: {"description": "The question: a page, or JSON if the request asks for it.", "content": PAGE}}
_LEADS: Responses = {303: {"description": "After a submitted form: to the page that shows the outcome."}}


@router.get(
    "/v1/runs/approval",
    response_model=ApprovalBody,
    summary="Read a question by its link",
    responses=_SHOWS | refusals("invalid_request", "unavailable", *_SPENT, open_to_all=True, pages=True),
)
def read_approval(
    *,
    request: Request,
    shared: Annotated[Resources, Depends(resources)],
    token: Annotated[str, Query(description="From the link.")],
    decision: Annotated[
        str | None, Query(description="`approve` or `deny`: decides if the request accepts JSON.")
    ] = None,
    choice: Annotated[str | None, Query(description="One of the choices, if the question has any.")] = None,
    comment: Annotated[str | None, Query(description=f"At most {MAX_COMMENT:,} characters.")] = None,
) -> Response:
    """Show a question, open or decided. With `decision` and `Accept: application/json`: decide."""
    if not wants_json(request):
        return _page(token, Typed({"decision": [decision or ""], "choice": [choice or ""], "comment": [comment or ""]}))
    if decision is not None:
        if decision not in _BY_GET:
            raise invalid("decision", "must be approve or deny here; send an answer by POST")
        body = DecisionBody(
            decision=cast("Literal['approve', 'deny']", decision), choice=choice, comment=_bounded(comment)
        )
        return Answer(shown(decide_by_token(token, body, shared), link=False))
    return Answer(shown(asked_by(token), link=False))


@router.head("/v1/runs/approval", include_in_schema=False)
def look_at_approval(
    request: Request, shared: Annotated[Resources, Depends(resources)], token: Annotated[str, Query()]
) -> Response:
    """Answer like GET without a decision, so that link checkers decide nothing."""
    return read_approval(request=request, shared=shared, token=token)


@router.post(
    "/v1/runs/approval",
    response_model=ApprovalBody,
    summary="Decide by a link",
    responses=_LEADS | refusals(*BODY, "unavailable", *_SPENT, open_to_all=True, pages=True),
    openapi_extra=request_body(TokenDecisionBody, _EXAMPLE, more=_AS_FORM),
)
def decide_approval(
    request: Request,
    raw: Annotated[bytes, Depends(body_within(small_limit, forms=True))],
    shared: Annotated[Resources, Depends(resources)],
) -> Response:
    """Approve, deny or answer. Exactly one decision wins; later calls receive that decision."""
    if is_form(request):
        return answer(raw, shared)
    body = read_as(TokenDecisionBody, json_object(raw))
    return Answer(shown(decide_by_token(body.token, body, shared), link=False))


def _page(token: str, typed: Typed) -> Response:
    question = asked_by(token)
    return outcome_page(question) if question.closed else question_page(question, token, typed)


def wants_json(request: Request) -> bool:
    """Return whether a request asks explicitly for JSON and for no page: `*/*`, which most scanners send, does not count."""
    accepted = {}
    for part in ",".join(request.headers.getlist("accept")).split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        accepted[kind] = not any(_is_zero(parameter) for parameter in parameters)
    return accepted.get("application/json", False) and not accepted.get("text/html", False)


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0").rstrip(".") in ("", "0")


def _bounded(comment: str | None) -> str | None:
    if comment is not None and len(comment) > MAX_COMMENT:
        raise invalid("comment", f"must have at most {MAX_COMMENT} characters")
    return comment
