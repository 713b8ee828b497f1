"""Runs that find no place of their key free and do not wait for one, and the earlier runs that keep them from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.blocked_on import BLOCKED_UNTIL
from models.sql.locking import locked_in_order
from models.statement import Statement

BATCH = 500

# A place may be free and not taken, because the windows of all runs in the line are closed: it belongs to the first of them.
_ITS_OWN = f"""(SELECT bool_or(first.id = run.id) FROM (
            SELECT id FROM run AS in_line WHERE blocked_on = run.blocked_on AND {BLOCKED_UNTIL} = '-infinity'
            ORDER BY priority DESC, fair_tag, id LIMIT greatest(0,
                coalesce((SELECT key_limit FROM queue WHERE name = run.queue), 1)
                - (SELECT count(*) FROM place WHERE line = run.blocked_on))
        ) AS first)"""
# Finds runs that wait for a place of their key before they ever began, and whose `onConflict` says that they do not wait.
_IMPATIENT = f"""
    SELECT id, tenant, blocked_on AS line, on_conflict FROM run
    WHERE id = ANY(%(runs)s::uuid[]) AND status = 'QUEUED' AND on_conflict <> 'queue' AND starts_with(blocked_on, 'key:')
        AND (on_conflict <> 'skip' OR {_ITS_OWN} IS NOT TRUE)
    ORDER BY id
    """
# Earlier runs that hold a place of the line or wait in it; the newest run with a key is last. `coalesce` keeps the planner on the
# index of lines: by the run's key it might read all earlier runs.
_EARLIER = f"""
        SELECT run_id AS id FROM place WHERE line = %(line)s AND run_id < %(run)s
        UNION (SELECT id FROM run WHERE blocked_on = %(line)s AND coalesce(id < %(run)s, FALSE) LIMIT {BATCH})"""
_STILL_RIVAL = "finished_at IS NULL AND control_request IS DISTINCT FROM 'cancel'"
# Locks the earlier runs that the new one replaces, except those that end or whose cancel is requested.
_RIVALS = f"""
    WITH earlier AS ({_EARLIER})
    {locked_in_order("SELECT id FROM earlier", _STILL_RIVAL, columns="id, tenant, lease_worker")}
    """
# Finds out whether such a run is left, without a lock.
_ANY_RIVAL = f"""
    WITH earlier AS ({_EARLIER})
    SELECT run.id FROM earlier CROSS JOIN LATERAL (SELECT id FROM run WHERE run.id = earlier.id AND {_STILL_RIVAL} LIMIT 1) AS run
    LIMIT 1
    """


@dataclass(frozen=True, slots=True)
class ImpatientRun:
    """A run that finds no place of its key free and does not want to wait; `on_conflict` says what it wants instead."""

    id: UUID
    tenant: str
    line: str
    on_conflict: str


@dataclass(frozen=True, slots=True)
class Rival:
    """A locked earlier run of the same key, and the worker that executes it, if one does."""

    id: UUID
    tenant: str
    lease_worker: UUID | None


def impatient(runs: Sequence[UUID]) -> Statement[ImpatientRun]:
    """Find those of these runs that never began, wait for a place of their key, and are not to wait (`onConflict`)."""
    return Statement(_IMPATIENT, {"runs": list(runs)}, ImpatientRun)


def rivals(run: UUID, line: str) -> Statement[Rival]:
    """Lock earlier runs that hold a place of the line or wait for one, and whose cancel is not requested."""
    return Statement(_RIVALS, {"run": run, "line": line}, Rival)


def any_rival(run: UUID, line: str) -> Statement[UUID]:
    """Find one such run without a lock."""
    return Statement(_ANY_RIVAL, {"run": run, "line": line}, UUID)
