"""Commands of users on one run: cancel, pause, resume, retry.

A command runs in the caller's transaction: that of the API's call for this run, or that of the scheduler for one of many runs.
The caller publishes the result after the commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from models import control_requests, idle_ends, moves
from models.calendar import windows
from models.control_requests import Request
from models.errors import OnceUnknown
from models.lifecycle import TERMINAL, Reason, Status
from models.runs import retry as retrying
from models.runs import successors
from models.runs.enqueue import enqueue
from models.stored_event import StoredEvent
from models.waiting import waits
from models.waiting.run_state import ResolvedWait, RunState
from models.waiting.wake import wake_run


@dataclass(frozen=True, slots=True)
class CommandResult:
    """Result of a command: the `events` of what was done, or the request (`asked`) that was recorded for the worker or for later.

    `run_state` is the run as the command found it, if it read the run; `over` has the waits that ended.
    """

    events: Sequence[StoredEvent] = ()
    asked: Request | None = None
    run_state: RunState | None = None
    over: Sequence[ResolvedWait] = ()

    @property
    def did(self) -> bool:
        """Return whether anything changed."""
        return bool(self.events or self.asked or self.over)

    @property
    def worker(self) -> UUID | None:
        """Return the worker to wake, because of a request or because a wait of the run that it executes is over."""
        if self.over and self.run_state and self.run_state.lease_worker:
            return self.run_state.lease_worker
        return self.asked.lease_worker if self.asked else None


def cancel(
    connection: psycopg.Connection[Any], run: UUID, tenant: str, *, by: str, comment: str | None, grace_ms: int
) -> CommandResult:
    """Cancel a run, or request the cancel from the worker that executes it. Empty if it has ended or was just claimed."""
    event = idle_ends.cancel_idle(connection, run, tenant, reason=Reason.BY_USER, by=by, comment=comment)
    if event is not None:
        return CommandResult([event])
    asked = control_requests.request_cancel(run, tenant, by=by, comment=comment, grace_ms=grace_ms)
    return CommandResult(asked=asked.one(connection))


def pause(
    connection: psycopg.Connection[Any], run: UUID, tenant: str, *, by: str, comment: str | None
) -> CommandResult | None:
    """Pause a run, or request the pause. Empty if it has ended, is paused, or will pause anyway. None: no such run."""
    run_state = waits.lock_run(run, tenant).one(connection)
    if run_state is None:
        return None
    if run_state.status in TERMINAL or run_state.pause_kind == "user":
        return CommandResult(run_state=run_state)
    if run_state.status == Status.RUNNING and not run_state.lease_worker:
        event = moves.pause_idle(run, by=by, comment=comment).one(connection)
        return CommandResult([event] if event else [], run_state=run_state)
    return CommandResult(
        asked=control_requests.request_pause(run, by=by, comment=comment).one(connection), run_state=run_state
    )


def resume(connection: psycopg.Connection[Any], run: UUID, tenant: str, *, by: str) -> CommandResult | None:
    """End a user's pause (a requested one too), the agent's own pause, or one for its code; the run's other waits stay open.

    Empty if there was no such pause: the caller rolls the transaction back then. None: no such run.
    """
    # The run row first, the wait after it: see `models.waiting.waits`.
    run_state = waits.lock_run(run, tenant).one(connection)
    if run_state is None:
        return None
    taken_back = control_requests.take_pause_back(run).one(connection)
    if run_state.pause_kind == "user":
        event = moves.resume(run, reason=Reason.BY_USER, by=by).one(connection)
        return CommandResult([event] if event else [], taken_back, run_state)
    over = _end_pauses(connection, run_state, by)
    return CommandResult(
        wake_run(connection, run_state, over, reason=Reason.BY_USER, by=by), taken_back, run_state, over
    )


def _end_pauses(connection: psycopg.Connection[Any], run_state: RunState, by: str) -> list[ResolvedWait]:
    """End the agent's own pause, or one for the run's code. Return the waits that are over.

    An executing run keeps its status: its agent receives the end of the pause. So one call ends a requested pause together with
    the agent's own, whether or not the run has parked by then. A requested cancel beats both.
    """
    parked = run_state.status in (Status.PAUSED, Status.AUTH_REQUIRED)
    executes = run_state.lease_worker is not None and run_state.control_request != "cancel"
    if not parked and not executes:
        return []
    return waits.resolve(run_state.id, run_state.epoch, ("code", "user"), outcome="resumed", by=by).all(connection)


def retry(connection: psycopg.Connection[Any], run: UUID, tenant: str, *, created_by: UUID) -> CommandResult:
    """Make a new run that keeps the successful records of an ended run; `events` are the new run's.

    Empty if the run has not ended, its window was deleted, or the outcome of a step that executes at most once is unknown.
    """
    before = successors.whole(run).one(connection)
    if before is None or before.tenant != tenant or before.status not in TERMINAL:
        return CommandResult()
    new = successors.successor(before, retry_of=run, created_by=created_by)
    try:
        copies = retrying.begin(connection, before, new.id)
    except OnceUnknown:
        return CommandResult()
    if windows.missing(connection, [new.window] if new.window else []):
        return CommandResult()
    made = enqueue(connection, tenant, [new])
    copies.put(connection)
    return CommandResult(made)
