"""GET /v1/approvals and POST /v1/approvals/{waitId}: the questions for people, and decisions by API key."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.http.auth import Caller, may
from api.http.body import body_within, json_object, small_limit
from api.http.cursors import invalid_cursor, read_cursor, write_cursor
from api.http.openapi_responses import BODY, refusals, request_body
from api.http.parsing import read_as
from api.http.problems import Problem
from api.http.responses import Answer
from api.http.transactions import reading
from api.links.rights import DECIDE, may_decide, may_have_link
from api.people.decide import decide, no_such_wait, read_wait_id, wait_closed
from api.people.decision_body import DecisionBody
from api.people.question import Page, Question, find_question, questions, shown
from api.resources import Resources, resources
from api.runs.find import find_run, parse_run_id
from api.shapes import ApprovalBody, ApprovalPage

router = APIRouter(tags=["People"])

Decider = Annotated[Caller, Depends(may(DECIDE))]


@router.get(
    "/v1/approvals",
    response_model=ApprovalPage,
    summary="The inbox",
    responses=refusals("invalid_request", "invalid_cursor", "run_not_found"),
)
async def list_approvals(
    caller: Decider,
    shared: Annotated[Resources, Depends(resources)],
    *,
    status: Annotated[Literal["open", "decided"], Query(description="`decided`: closed for any reason.")] = "open",
    run: Annotated[
        str | None, Query(alias="runId", description="Only of this run.", json_schema_extra={"format": "uuid"})
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Answer:
    """List the tenant's approvals and questions, newest first; each has its link if the caller may decide."""
    kind = f"approvals-{status}"
    below = None if cursor is None else _below(kind, cursor)
    of_run = None if run is None else parse_run_id(run)
    page = Page(caller.tenant, decided=status == "decided", limit=limit + 1, below=below, run=of_run)
    return await shared.fair_use.search(caller, lambda: _list(caller, page, kind))


def _list(caller: Caller, page: Page, kind: str) -> Answer:
    with reading() as session:
        if page.run is not None:
            find_run(session, caller.tenant, page.run)
        found = questions(session, page)
    limit = page.limit - 1
    more = write_cursor(kind, found[limit - 1].wait.id.hex) if len(found) > limit else None
    return Answer({"approvals": [_item(question, caller) for question in found[:limit]], "nextCursor": more})


@router.post(
    "/v1/approvals/{waitId}",
    response_model=ApprovalBody,
    summary="Decide",
    responses=refusals(*BODY, "not_found", "wait_closed", "invalid_answer"),
    openapi_extra=request_body(DecisionBody, {"decision": "approve", "comment": "as ordered"}),
)
def decide_wait(
    waitId: str,  # noqa: N803  as the API spells it
    caller: Decider,
    raw: Annotated[bytes, Depends(body_within(small_limit))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """Approve, deny or answer; if the question names approvers, the key needs one of these roles. Exactly one decision wins."""
    wait = read_wait_id(waitId)
    question = _find(caller, wait)
    if not may_decide(caller, question.approvers):
        roles = " or ".join(question.approvers or ())
        raise Problem("forbidden", f"Only an API key with the role {roles} may decide this.")
    body = read_as(DecisionBody, json_object(raw))
    if not question.closed and decide(question, body, caller.name, shared):
        return Answer(_item(_find(caller, wait), caller))
    raise wait_closed(_find(caller, wait))


def _find(caller: Caller, wait: UUID) -> Question:
    question = find_question(wait)
    if question is None or question.run.tenant != caller.tenant:
        raise no_such_wait()
    return question


def _item(question: Question, caller: Caller) -> ApprovalBody:
    return shown(question, link=may_have_link(caller, question.approvers, question.run.created_by))


def _below(kind: str, cursor: str) -> UUID:
    try:
        return UUID(hex=read_cursor(kind, cursor))
    except ValueError:
        raise invalid_cursor() from None
