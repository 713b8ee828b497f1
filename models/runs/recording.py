"""Records of an activation: steps, attempts, events, log lines, the step in flight.

Every statement is fenced by epoch and lease. Items that change more than the step in flight carry their number `n` within the
activation. The run row keeps the last committed number, so an item that is retried after a lost acknowledgement is recognised
and never written twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.sql.fence import UNDER_FENCE
from models.statement import Statement
from models.stored_event import StoredEvent


@dataclass(frozen=True, slots=True)
class Fence:
    """The right of an activation to write its run; see `models.sql.fence`."""

    run: UUID
    epoch: int
    worker: UUID


@dataclass(frozen=True, slots=True)
class StepRecord:
    """The outcome of a step or of one attempt of it; `value` and `error` are JSON texts."""

    key: str
    name: str
    digest: str
    occurrence: int
    status: str
    attempts: int
    duration_ms: int | None
    value: str | None = None
    error: str | None = None
    approval: str | None = None
    at_ms: float | None = None
    """When an async agent saw the outcome, in milliseconds of the run's clock."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one run may record."""

    steps: int
    recorded_bytes: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that the agent logged (`source` agent) or its process wrote (stdout, stderr)."""

    source: str
    level: str
    message: str
    step: str | None = None
    attempt: int | None = None


STEP_FINISHED = "TX001"
"""The SQLSTATE by which a statement refuses to record a step that has an outcome already."""

# Decides whether the step may be recorded, and counts it against the run's limits. A step with an outcome gets no row in
# `stored_step`: then the function of migration 0016 raises STEP_FINISHED, which rolls the whole transaction back.
_STEP = f"""
    WITH fenced AS (
        UPDATE run SET seq = seq + 1, recorded_n = %(n)s, step_count = step_count + %(finished)s,
            recorded_bytes = recorded_bytes + %(bytes)s, step_in_flight = %(in_flight)s, updated_at = now()
        WHERE {UNDER_FENCE} AND recorded_n < %(n)s AND step_count + %(finished)s <= %(max_steps)s
            AND recorded_bytes + %(bytes)s <= %(max_bytes)s
        RETURNING id, tenant, seq, status
    ), stored_step AS (
        INSERT INTO step (run_id, key, tenant, seq, name, digest, occurrence, status, attempts, duration_ms, started_at,
            finished_at, value, error, at_ms)
        SELECT id, %(key)s, tenant, seq, %(name)s, %(digest)s, %(occurrence)s, %(status)s, %(attempts)s, %(duration_ms)s,
            now() - coalesce(%(duration_ms)s::bigint, 0) * interval '1 ms', CASE WHEN %(finished)s = 1 THEN now() END,
            %(value)s::json, %(error)s::json, %(at_ms)s
        FROM fenced
        ON CONFLICT (run_id, key) DO UPDATE SET seq = excluded.seq, status = excluded.status, attempts = excluded.attempts,
            duration_ms = excluded.duration_ms, finished_at = excluded.finished_at, value = excluded.value,
            error = excluded.error, at_ms = excluded.at_ms
            WHERE step.status IN ('retrying', 'intended')
        RETURNING key
    ), new_event AS (
        INSERT INTO event (run_id, seq, tenant, type, status, data)
        SELECT id, seq, tenant, 'step', status, json_build_object('step', json_strip_nulls(json_build_object(
            'key', key, 'name', %(name)s::text, 'status', %(status)s::text, 'attempts', %(attempts)s::int,
            'durationMs', %(duration_ms)s::bigint, 'approval', %(approval)s::text)))
        FROM fenced, stored_step RETURNING *
    )
    SELECT new_event.*, CASE WHEN new_event.run_id IS NULL THEN step_was_finished() ELSE TRUE END AS kept
    FROM fenced LEFT JOIN new_event ON TRUE
    """
# Reads the name of the function that the statement above calls, if the database does not have it.
_MISSING = """
    SELECT 'step_was_finished()' AS function WHERE to_regprocedure('step_was_finished()') IS NULL
    """
# Records that the agent gave the step up, unless it has an outcome. The record may be read here without its lock: only this
# activation writes it, and its items are committed in order.
_ABANDONED = f"""
    WITH unfinished AS (
        SELECT (NOT EXISTS (
            SELECT FROM step WHERE run_id = %(run)s AND key = %(key)s AND status NOT IN ('retrying', 'intended')
        ))::int AS n
    ), fenced AS (
        UPDATE run SET seq = seq + (SELECT n FROM unfinished), recorded_n = %(n)s,
            step_count = step_count + (SELECT n FROM unfinished), step_in_flight = %(in_flight)s, updated_at = now()
        WHERE {UNDER_FENCE} AND recorded_n < %(n)s AND step_count + (SELECT n FROM unfinished) <= %(max_steps)s
        RETURNING id, tenant, seq, status
    ), stored_step AS (
        INSERT INTO step (run_id, key, tenant, seq, name, digest, occurrence, status, attempts, duration_ms, started_at,
            finished_at, at_ms)
        SELECT id, %(key)s, tenant, seq, %(name)s, %(digest)s, %(occurrence)s, 'abandoned', %(attempts)s, %(duration_ms)s,
            now() - coalesce(%(duration_ms)s::bigint, 0) * interval '1 ms', now(), %(at_ms)s
        FROM fenced, unfinished WHERE unfinished.n = 1
        ON CONFLICT (run_id, key) DO UPDATE SET seq = excluded.seq, status = excluded.status, attempts = excluded.attempts,
            duration_ms = excluded.duration_ms, finished_at = excluded.finished_at, at_ms = excluded.at_ms
        RETURNING key
    ), new_event AS (
        INSERT INTO event (run_id, seq, tenant, type, status, data)
        SELECT id, seq, tenant, 'step', status, json_build_object('step', json_strip_nulls(json_build_object(
            'key', key, 'name', %(name)s::text, 'status', 'abandoned', 'attempts', %(attempts)s::int,
            'durationMs', %(duration_ms)s::bigint)))
        FROM fenced, stored_step RETURNING *
    )
    SELECT new_event.* FROM fenced LEFT JOIN new_event ON TRUE
    """
# Records an event of the agent, once for its number.
_EVENT = f"""
    WITH fenced AS (
        UPDATE run SET seq = seq + 1, recorded_n = %(n)s, step_in_flight = %(in_flight)s, updated_at = now()
        WHERE {UNDER_FENCE} AND recorded_n < %(n)s
        RETURNING id, tenant, seq, status
    ), new_event AS (
        INSERT INTO event (run_id, seq, tenant, type, status, data)
        SELECT id, seq, tenant, %(type)s, status, %(data)s::json FROM fenced RETURNING *
    )
    SELECT * FROM new_event
    """
# Notes the step that executes now. It has no number: the last of several wins.
_IN_FLIGHT = f"UPDATE run SET step_in_flight = %(in_flight)s, updated_at = now() WHERE {UNDER_FENCE} RETURNING id"
# Appends log lines, numbered behind those that the run has.
_LOG = f"""
    WITH fenced AS (
        UPDATE run SET log_lines = log_lines + %(count)s, log_bytes = log_bytes + %(bytes)s WHERE {UNDER_FENCE}
        RETURNING id, tenant, log_lines - %(count)s AS base
    ), new_lines AS (
        INSERT INTO log (run_id, n, tenant, source, level, step, attempt, message)
        SELECT id, base + line.n, tenant, line.source, line.level, line.step, line.attempt, line.message
        FROM fenced, unnest(%(sources)s::text[], %(levels)s::text[], %(steps)s::text[], %(attempts)s::int[],
            %(messages)s::text[]) WITH ORDINALITY AS line (source, level, step, attempt, message, n)
    )
    SELECT id FROM fenced
    """
# Reads the row that tells an activation why an item was not recorded, or that it was.
FENCED = """
    SELECT epoch, lease_worker, recorded_n, status, inbox, control_request, control_by, control_reason
    FROM run WHERE id = %(run)s
    """


@dataclass(frozen=True, slots=True)
class FencedRun:
    """A run as its row is now: who may write to it, what was recorded last, and what is asked of it."""

    epoch: int
    lease_worker: UUID | None
    recorded_n: int
    status: str
    inbox: int
    control_request: str | None
    control_by: str | None
    control_reason: str | None

    def belongs_to(self, fence: Fence) -> bool:
        """Return whether this fence still holds."""
        return (self.epoch, self.lease_worker) == (fence.epoch, fence.worker)


def missing_functions() -> Statement[str]:
    """Read what recording a step needs and the database lacks. Returns no row in a database that is migrated."""
    return Statement(_MISSING, {}, str)


def fenced(run: UUID) -> Statement[FencedRun]:
    """Read a run row to find out why a statement under a fence decided nothing."""
    return Statement(FENCED, {"run": run}, FencedRun)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def _fenced(fence: Fence) -> dict[str, object]:
    return {"run": fence.run, "epoch": fence.epoch, "worker": fence.worker}


def step(fence: Fence, n: int, record: StepRecord, limits: Limits, in_flight: str | None) -> Statement:
    """Record a step's outcome or a failed attempt. Returns no row if the fence has passed or a limit of the run is reached.

    Raises psycopg.DatabaseError with STEP_FINISHED if the step has an outcome already: a finished step is never overwritten.
    """
    size = _bytes(record.value or "") + _bytes(record.error or "")
    finished = int(record.status in ("succeeded", "failed"))
    outcome = {"status": record.status, "value": record.value, "error": record.error, "approval": record.approval}
    counted = {"bytes": size, "finished": finished, "max_steps": limits.steps, "max_bytes": limits.recorded_bytes}
    at = {**_fenced(fence), "n": n, "in_flight": in_flight}
    return Statement(_STEP, {**at, **_about(record), **outcome, **counted})


def abandoned(fence: Fence, n: int, record: StepRecord, limits: Limits, in_flight: str | None) -> Statement:
    """Record that the agent gave a step up. A finished step stays unchanged, and the row is empty then.

    Returns no row if the fence has passed or a limit of the run is reached.
    """
    fields = {**_about(record), "in_flight": in_flight, "n": n, "max_steps": limits.steps}
    return Statement(_ABANDONED, {**_fenced(fence), **fields})


def _about(record: StepRecord) -> dict[str, object]:
    return {
        "key": record.key,
        "name": record.name,
        "digest": record.digest,
        "occurrence": record.occurrence,
        "attempts": record.attempts,
        "duration_ms": record.duration_ms,
        "at_ms": record.at_ms,
    }


def event(fence: Fence, n: int, kind: str, data: str, in_flight: str | None) -> Statement[StoredEvent]:
    """Record a durable event of the agent (`data` is JSON text). Returns no row if the fence has passed."""
    return Statement(
        _EVENT, {**_fenced(fence), "n": n, "type": kind, "data": data, "in_flight": in_flight}, StoredEvent
    )


def in_flight(fence: Fence, step_key: str | None) -> Statement[UUID]:
    """Write which step executes now. Returns no row if the fence has passed."""
    return Statement(_IN_FLIGHT, {**_fenced(fence), "in_flight": step_key}, UUID)


def log(fence: Fence, lines: Sequence[LogLine]) -> Statement[UUID]:
    """Append log lines. The caller keeps within the run's log budget."""
    return Statement(
        _LOG,
        {
            **_fenced(fence),
            "count": len(lines),
            "bytes": sum(_bytes(line.message) for line in lines),
            "sources": [line.source for line in lines],
            "levels": [line.level for line in lines],
            "steps": [line.step for line in lines],
            "attempts": [line.attempt for line in lines],
            "messages": [line.message for line in lines],
        },
        UUID,
    )
