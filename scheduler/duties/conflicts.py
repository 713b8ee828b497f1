"""Settlement of conflicts: a run that does not wait for a place of its key ends, or the runs before it end."""

from collections.abc import Sequence
from uuid import UUID

from models import control_requests, idle_ends
from models.lifecycle import Reason
from models.promotion import conflicts, places
from models.promotion.conflicts import ImpatientRun
from models.runs.effects import EffectResult
from models.runtime.database import Connection
from models.stored_event import StoredEvent


def settle(connection: Connection, runs: Sequence[UUID], grace_ms: int) -> EffectResult:
    """Skip or prefer those of the runs that wait for a place of their key, as their `on_conflict` says.

    The result is `done` when no conflict is left.
    """
    events: list[StoredEvent] = []
    workers: list[UUID] = []
    done = True
    for run in conflicts.impatient(runs).all(connection) if runs else []:
        if run.on_conflict == "skip":
            end = idle_ends.cancel_idle(connection, run.id, run.tenant, reason=Reason.SKIPPED, by=None, comment=None)
            events += [end] if end else []
        else:
            ended = _supersede(connection, run, grace_ms)
            events, workers, done = events + list(ended.events), workers + list(ended.workers), done and ended.done
    return EffectResult(events, workers, done=done)


def _supersede(connection: Connection, run: ImpatientRun, grace_ms: int) -> EffectResult:
    """End the earlier runs of its key, immediately or through their workers."""
    by, events, workers = control_requests.superseded_by(run.id), [], []
    for rival in conflicts.rivals(run.id, run.line).all(connection):
        at = (rival.id, rival.tenant)
        if rival.lease_worker is None:
            end = idle_ends.cancel_idle(connection, *at, reason=Reason.SUPERSEDED, by=by, comment=None)
            events += [end] if end else []
        elif control_requests.request_cancel(*at, by=by, comment=None, grace_ms=grace_ms).one(connection):
            workers.append(rival.lease_worker)
    left = conflicts.any_rival(run.id, run.line).one(connection)
    if left:
        places.again(run.id).one(connection)
    return EffectResult(events, workers, done=left is None)
