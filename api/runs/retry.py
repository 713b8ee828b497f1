"""POST /v1/runs/{runId}/retry: a new run that continues where an ended run failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends

from api.http.auth import Caller, may
from api.http.body import body_within, json_object, single_limit
from api.http.openapi_responses import BODY, refusals, request_body, response
from api.http.parsing import read_as
from api.http.problems import Problem, invalid, run_not_found
from api.http.responses import Answer
from api.http.transactions import transaction
from api.resources import Resources, resources
from api.runs.agent_input import checked_input
from api.runs.detail import read_detail
from api.runs.find import parse_run_id
from api.runs.idempotency import IdempotencyKey, find_earlier, keyed_request
from api.runs.request_bodies import RetryBody
from api.runs.store import store
from api.shapes import RunBody
from models.errors import Forgotten, OnceUnknown
from models.lifecycle import TERMINAL
from models.runs import retry as retrying
from models.runs import retry_plan, successors
from models.runs.enqueue import NewRun
from models.runs.retry import Copies
from models.runs.retry_plan import History, Kept
from models.runs.successors import WholeRun

router = APIRouter(tags=["Runs"])

_MOST_NAMED = 50
_REFUSALS = refusals(*BODY, "run_not_found", "illegal_move", "idempotency_mismatch", "unknown_window", "invalid_input")


@router.post(
    "/v1/runs/{runId}/retry",
    status_code=201,
    response_model=RunBody,
    summary="Retry a run that has ended",
    responses=response(200, "An earlier, equal request created this run (`Idempotency-Replayed: true`).", RunBody)
    | _REFUSALS,
    openapi_extra=request_body(RetryBody, {"fromStep": "send_refund"}, required=False),
)
def retry_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("enqueue"))],
    raw: Annotated[bytes, Depends(body_within(single_limit, optional=True))],
    shared: Annotated[Resources, Depends(resources)],
    idempotency_key: IdempotencyKey = None,
) -> Answer:
    """Create a new run, linked by `retryOf`, that keeps what succeeded and executes the rest again.

    It keeps the records up to the last success: succeeded steps, failures that the agent caught before, decisions of people.
    With `fromStep` it keeps the records before that step; with a new `input` it keeps none.
    """
    run, fields = parse_run_id(runId), json_object(raw) if raw else {}
    again = _Retry(caller, run, read_as(RetryBody, fields), shared)
    request = keyed_request(idempotency_key, "retry", {"run": str(run), **fields})
    if earlier := find_earlier(caller, request):
        return earlier.answer(read_detail(caller, earlier.ids[0]))
    new = again.prepare()
    accepted = store(caller, request, [new], shared.bus, write_more=again.put)
    return accepted.answer(read_detail(caller, accepted.ids[0]))


@dataclass(slots=True)
class _Retry:
    """One retry request, and after `prepare` the records that the new run starts with."""

    caller: Caller
    run: UUID
    body: RetryBody
    shared: Resources
    copies: Copies | None = None

    def prepare(self) -> NewRun:
        """Return the new run; raises Problem."""
        if self.body.fromStep is not None and self.body.input is not None:
            raise invalid("fromStep", "keeps recorded steps, a new input keeps none: send only one of them")
        with transaction() as connection:
            ended = _ended(self.caller, self.run, connection)
            new = partial(successors.successor, ended, retry_of=self.run, created_by=self.caller.key)
            if self.body.input is not None:
                agent = self.shared.catalogue.agent(ended.agent, "agent")
                return new(input=checked_input(self.body.input, agent, self.shared.settings.max_input_bytes))
            made = new()
            self.copies = self._begin(connection, ended, made.id)
        return made

    def put(self, connection: psycopg.Connection[Any]) -> None:
        """Store the records that the new run starts with."""
        try:
            if self.copies is not None:
                self.copies.put(connection)
        except Forgotten:
            raise run_not_found() from None

    def _begin(self, connection: psycopg.Connection[Any], ended: WholeRun, retry: UUID) -> Copies:
        try:
            return retrying.begin(connection, ended, retry, self._kept)
        except OnceUnknown as error:
            raise Problem("illegal_move", f"{error} To execute it again, name it as fromStep.") from None

    def _kept(self, past: History) -> Kept:
        name = self.body.fromStep
        if name is None:
            return retry_plan.kept(past)
        step = retry_plan.named(past, name)
        if step is None:
            raise invalid("fromStep", _no_such_step(name, retry_plan.names(past)))
        return retry_plan.kept_before(past, step)


def _ended(caller: Caller, run: UUID, connection: psycopg.Connection[Any]) -> WholeRun:
    found = successors.whole(run).one(connection)
    if found is None or found.tenant != caller.tenant:
        raise run_not_found()
    if found.status not in TERMINAL:
        raise Problem("illegal_move", f"The run is {found.status}. Only a run that has ended can be retried.")
    return found


def _no_such_step(name: str, known: Sequence[str]) -> str:
    listed = ", ".join(known[:_MOST_NAMED]) or "none"
    return f"{name[:100]!r} is neither key nor name of a step that the run started; it started: {listed}"
