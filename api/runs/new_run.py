"""Runs to store, made from valid request bodies: POST /v1/runs, its batch, and schedules read them here."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from api.http.auth import Caller
from api.http.parsing import read_as
from api.http.problems import invalid
from api.resources import Resources
from api.runs.agent_input import checked_input
from api.runs.request_bodies import LATER, BatchBody, NewRunBody, ScheduledRunBody
from models.runs.enqueue import DEFAULT_TIMEOUT_MS, NewRun


def read_run(caller: Caller, fields: Mapping[str, Any], shared: Resources, place: str = "") -> NewRun:
    """Return the run that a JSON object describes; raises Problem. `place` is put before field names."""
    body = read_as(NewRunBody, fields, later=LATER, place=place)
    return new_run(caller, body, shared, place, body.notBefore)


def read_batch(caller: Caller, fields: Mapping[str, Any], shared: Resources) -> list[NewRun]:
    """Return the runs of a batch; raises Problem for the first that is not valid."""
    listed = read_as(BatchBody, fields).runs
    if len(listed) > shared.settings.max_batch:
        raise invalid("runs", f"may hold {shared.settings.max_batch:,} runs at most")
    return [read_run(caller, one, shared, f"runs[{n}].") for n, one in enumerate(listed)]


def new_run(
    caller: Caller, body: ScheduledRunBody, shared: Resources, place: str = "", not_before: datetime | None = None
) -> NewRun:
    """Return the run that a valid body describes; raises Problem for an unknown agent, queue or window, or a wrong input."""
    _check_times_and_key(body, not_before, place)
    agent = shared.catalogue.agent(body.agent, f"{place}agent")
    if body.queue is not None:
        shared.catalogue.check_queue(body.queue, f"{place}queue")
    if body.window is not None:
        shared.catalogue.check_window(body.window, f"{place}window")
    return NewRun(
        agent=agent.name,
        queue=body.queue or agent.queue,
        input=checked_input(body.input, agent, shared.settings.max_input_bytes, f"{place}input"),
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
        raise invalid(
            f"{place}onConflict", "needs concurrencyKey: it decides what happens when no place of the key is free"
        )
    # This machine's clock is precise enough to refuse a run that could never start.
    last = datetime.now(UTC) + timedelta(milliseconds=body.expiresIn or 0)
    if body.expiresIn is not None and not_before is not None and last <= not_before:
        raise invalid(f"{place}expiresIn", "ends before notBefore: it counts from the run's acceptance")
