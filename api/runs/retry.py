"""POST /v1/runs/{runId}/retry: a new run that goes on where one that has ended went wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends

from api.http.auth import Caller, may
from api.http.body import body_within, json_object, single_limit
from api.http.openapi_responses import BODY, refusals, shows, takes
from api.http.parsing import read_as
from api.http.problems import Problem, invalid, run_not_found
from api.http.responses import Answer
from api.http.transactions import transaction
from api.resources import Resources, resources
from api.runs.accept import accept, same_request
from api.runs.create import Key, answer
from api.runs.detail import read_whole
from api.runs.envelope import RetryBody
from api.runs.find import run_id
from api.runs.input_check import fitting_input
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
    summary="Try a run again that has ended",
    responses=shows(200, "An equal request made this run before (`Idempotency-Replayed: true`).", RunBody) | _REFUSALS,
    openapi_extra=takes(RetryBody, {"fromStep": "send_refund"}, required=False),
)
def retry_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("enqueue"))],
    raw: Annotated[bytes, Depends(body_within(single_limit, optional=True))],
    shared: Annotated[Resources, Depends(resources)],
    idempotency_key: Key = None,
) -> Answer:
    """Make a new run, linked by `retryOf`, that keeps what went well and tries again what did not.

    It keeps everything up to the last good thing that was recorded: succeeded steps, failures that the agent caught before,
    decisions of people. With `fromStep` it keeps what was recorded before that step, with a new `input` nothing.
    """
    run, fields = run_id(runId), json_object(raw) if raw else {}
    again = _Retry(caller, run, read_as(RetryBody, fields), shared)
    request = same_request(idempotency_key, "retry", {"run": str(run), **fields})
    accepted = accept(caller, request, again.prepare, shared.bus, again.put)
    return answer(accepted, read_whole(caller, accepted.ids[0]))


@dataclass(slots=True)
class _Retry:
    """One request, and once it is prepared what the new run begins with."""

    caller: Caller
    run: UUID
    body: RetryBody
    shared: Resources
    copies: Copies | None = None

    def prepare(self) -> Sequence[NewRun]:
        """Describe the new run; raises Problem."""
        if self.body.fromStep is not None and self.body.input is not None:
            raise invalid("fromStep", "keeps what was recorded, a new input keeps nothing: give one of them")
        with transaction() as connection:
            ended = _ended(self.caller, self.run, connection)
            new = partial(successors.successor, ended, retry_of=self.run, created_by=self.caller.key)
            if self.body.input is not None:
                agent = self.shared.catalogue.agent(ended.agent, "agent")
                return [new(input=fitting_input(self.body.input, agent, self.shared.settings.max_input_bytes))]
            made = new()
            self.copies = self._begin(connection, ended, made.id)
        return [made]

    def put(self, connection: psycopg.Connection[Any]) -> None:
        """Store what the new run begins with."""
        try:
            if self.copies is not None:
                self.copies.put(connection)
        except Forgotten:
            raise run_not_found() from None

    def _begin(self, connection: psycopg.Connection[Any], ended: WholeRun, retry: UUID) -> Copies:
        try:
            return retrying.begin(connection, ended, retry, self._kept)
        except OnceUnknown as error:
            raise Problem("illegal_move", f"{error} Name it as fromStep if it is to be executed again.") from None

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
        raise Problem("illegal_move", f"The run is {found.status}; only one that has ended can be tried again.")
    return found


def _no_such_step(name: str, known: Sequence[str]) -> str:
    listed = ", ".join(known[:_MOST_NAMED]) or "none"
    return f"{name[:100]!r} is no key and no name of a step that the run began; it began: {listed}"
