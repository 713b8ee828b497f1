"""What becomes of a run that finds no place of its key free and does not want to wait, and of those that hold it up."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.blocked_on import BLOCKED_UNTIL
from models.statement import Statement

BATCH = 500

# A place may be free although nobody takes it, because the window of all who wait is closed: it is the first ones' then.
_ITS_OWN = f"""(SELECT bool_or(first.id = run.id) FROM (
            SELECT id FROM run AS waiting WHERE blocked_on = run.blocked_on AND {BLOCKED_UNTIL} = '-infinity'
            ORDER BY priority DESC, fair_tag, id LIMIT greatest(0,
                coalesce((SELECT key_limit FROM queue WHERE name = run.queue), 1)
                - (SELECT count(*) FROM place WHERE line = run.blocked_on))
        ) AS first)"""
_IMPATIENT = f"""
    SELECT id, tenant, blocked_on AS line, on_conflict FROM run
    WHERE id = ANY(%(runs)s::uuid[]) AND status = 'QUEUED' AND on_conflict <> 'queue' AND starts_with(blocked_on, 'key:')
        AND (on_conflict <> 'skip' OR {_ITS_OWN} IS NOT TRUE)
    ORDER BY id
    """
# Those that hold a place of the line, and those that wait in it; the newest run with a key comes last. `coalesce` keeps the
# planner on the index of lines: by the key it might read all runs that came before.
_EARLIER = f"""
        SELECT run_id AS id FROM place WHERE line = %(line)s AND run_id < %(run)s
        UNION (SELECT id FROM run WHERE blocked_on = %(line)s AND coalesce(id < %(run)s, FALSE) LIMIT {BATCH})"""
_UNASKED = "finished_at IS NULL AND control_request IS DISTINCT FROM 'cancel'"
_RIVALS = f"""
    WITH earlier AS ({_EARLIER})
    SELECT locked.* FROM (SELECT id FROM earlier ORDER BY id) AS wanted CROSS JOIN LATERAL (
        SELECT id, tenant, lease_worker FROM run WHERE run.id = wanted.id AND {_UNASKED} FOR UPDATE SKIP LOCKED
    ) AS locked
    """
_ANY_RIVAL = f"""
    WITH earlier AS ({_EARLIER})
    SELECT run.id FROM earlier CROSS JOIN LATERAL (SELECT id FROM run WHERE run.id = earlier.id AND {_UNASKED} LIMIT 1) AS run
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
    """Find those of these runs that wait for a place of their key before they ever began, and do not want to."""
    return Statement(_IMPATIENT, {"runs": list(runs)}, ImpatientRun)


def rivals(run: UUID, line: str) -> Statement[Rival]:
    """Lock earlier runs that hold a place of the line, or wait for one, and that nobody asked to end."""
    return Statement(_RIVALS, {"run": run, "line": line}, Rival)


def any_rival(run: UUID, line: str) -> Statement[UUID]:
    """Find such a run without locking it."""
    return Statement(_ANY_RIVAL, {"run": run, "line": line}, UUID)
