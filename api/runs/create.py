"""POST /v1/runs and POST /v1/runs/batch: accept runs, at most once for each idempotency key."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from sqlmodel import col, select

from api.http.auth import Caller, may
from api.http.body import batch_limit, body_within, json_object, single_limit
from api.http.openapi_responses import BODY, refusals, shows, takes
from api.http.parsing import read_as
from api.http.problems import invalid
from api.http.responses import Answer, as_stored
from api.http.transactions import reading
from api.resources import Resources, resources
from api.runs.accept import Accepted, accept, same_request
from api.runs.detail import read_whole
from api.runs.envelope import LATER, BatchBody, NewRunBody, ScheduledRunBody
from api.runs.input_check import fitting_input
from api.runs.view import newborn, summaries
from api.shapes import BatchOfRuns, RunBody, RunSummary
from models.runs.enqueue import DEFAULT_TIMEOUT_MS, NewRun
from models.tables.run import Run

router = APIRouter(tags=["Runs"])

_EXAMPLE = {
    "agent": "license_audit",
    "input": {},
    "metadata": {"team": "platform"},
    "tags": ["nightly"],
    "timeout": "PT15M",
}
_REFUSALS = refusals(*BODY, "idempotency_mismatch", "unknown_agent", "unknown_queue", "unknown_window", "invalid_input")

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1 to 255 visible characters; an equal request answers with the same runs.",
        json_schema_extra={"pattern": "^[!-~]{1,255}$"},
    ),
]


def new_run(
    caller: Caller, body: ScheduledRunBody, shared: Resources, place: str = "", not_before: datetime | None = None
) -> NewRun:
    """Give the run that a valid body asks for; raises Problem for what there is not. `place` is put before field names."""
    _check_times_and_key(body, not_before, place)
    agent = shared.catalogue.agent(body.agent, f"{place}agent")
    if body.queue is not None:
        shared.catalogue.check_queue(body.queue, f"{place}queue")
    if body.window is not None:
        shared.catalogue.check_window(body.window, f"{place}window")
    return NewRun(
        agent=agent.name,
        queue=body.queue or agent.queue,
        input=fitting_input(body.input, agent, shared.settings.max_input_bytes, f"{place}input"),
        priority=body.priority or 0,
        timeout_ms=body.timeout or agent.timeout_ms or DEFAULT_TIMEOUT_MS,
        user_id=body.userId,
        metadata=body.metadata or {},
        tags=body.tags or [],
        window=body.window,
        approval_strategy=body.approvalStrategy or "NONE",
        not_before=not_before,
        expires_in_ms=body.expiresIn,
        concurrency_key=body.concurrencyKey,
        on_conflict=body.onConflict or "queue",
        created_by=caller.key,
    )


def _check_times_and_key(body: ScheduledRunBody, not_before: datetime | None, place: str) -> None:
    if body.onConflict is not None and body.concurrencyKey is None:
        raise invalid(f"{place}onConflict", "needs concurrencyKey: it says what happens when no place of it is free")
    # By this machine's clock, which is good enough to spare people a run that could never begin.
    last = datetime.now(UTC) + timedelta(milliseconds=body.expiresIn or 0)
    if body.expiresIn is not None and not_before is not None and last <= not_before:
        raise invalid(f"{place}expiresIn", "is over before notBefore: it counts from the run's acceptance")


def _asked(caller: Caller, fields: Mapping[str, Any], shared: Resources, place: str = "") -> NewRun:
    body = read_as(NewRunBody, fields, later=LATER, place=place)
    return new_run(caller, body, shared, place, body.notBefore)


def answer(accepted: Accepted, content: Any) -> Answer:
    """Answer with what was made now, or by an equal request before."""
    return Answer(content, 200, {"idempotency-replayed": "true"}) if accepted.replayed else Answer(content, 201)


@router.post(
    "/v1/runs",
    status_code=201,
    response_model=RunBody,
    summary="Accept a run",
    responses=shows(200, "An equal request made this run before (`Idempotency-Replayed: true`).", RunBody) | _REFUSALS,
    openapi_extra=takes(NewRunBody, _EXAMPLE),
)
def create_run(
    caller: Annotated[Caller, Depends(may("enqueue"))],
    raw: Annotated[bytes, Depends(body_within(single_limit))],
    shared: Annotated[Resources, Depends(resources)],
    idempotency_key: Key = None,
) -> Answer:
    """Store a run, QUEUED: once this is answered with 201 the run survives a crash of anything."""
    fields = json_object(raw)
    request = same_request(idempotency_key, "one", fields)
    accepted = accept(caller, request, lambda: [_asked(caller, fields, shared)], shared.bus)
    if accepted.replayed:
        return answer(accepted, read_whole(caller, accepted.ids[0]))
    [made] = accepted.made
    shown: dict[str, Any] = {"input": as_stored(made.input), "result": None, "stepsFinished": []}
    return answer(accepted, {**newborn(caller.tenant, made, accepted.at), **shown})


@router.post(
    "/v1/runs/batch",
    status_code=201,
    response_model=BatchOfRuns,
    summary="Accept several runs, all or none",
    responses=shows(200, "An equal request made these runs before.", BatchOfRuns) | _REFUSALS,
    openapi_extra=takes(BatchBody, {"runs": [_EXAMPLE, _EXAMPLE]}),
)
def create_batch(
    caller: Annotated[Caller, Depends(may("enqueue"))],
    raw: Annotated[bytes, Depends(body_within(batch_limit))],
    shared: Annotated[Resources, Depends(resources)],
    idempotency_key: Key = None,
) -> Answer:
    """Store up to 1,000 runs in one transaction; each is a body as POST /v1/runs takes it."""
    fields = json_object(raw)
    request = same_request(idempotency_key, "batch", fields)
    accepted = accept(caller, request, lambda: _new_runs(caller, fields, shared), shared.bus)
    if accepted.replayed:
        return answer(accepted, {"runs": _in_order(caller, accepted.ids)})
    return answer(accepted, {"runs": [newborn(caller.tenant, made, accepted.at) for made in accepted.made]})


def _new_runs(caller: Caller, fields: dict[str, Any], shared: Resources) -> list[NewRun]:
    asked = read_as(BatchBody, fields).runs
    if len(asked) > shared.settings.max_batch:
        raise invalid("runs", f"may hold {shared.settings.max_batch:,} runs at most")
    return [_asked(caller, one, shared, f"runs[{n}].") for n, one in enumerate(asked)]


def _in_order(caller: Caller, ids: Sequence[UUID]) -> list[RunSummary]:
    wanted = select(Run).where(col(Run.id).in_(ids), Run.tenant == caller.tenant)
    with reading() as session:
        found = {run.id: run for run in session.exec(wanted)}
        return summaries(session, [found[run] for run in ids if run in found], caller)
