"""A worker's row through its life: registered, renewed, drained, declared dead. A dead row is never revived."""

from dataclasses import dataclass
from uuid import UUID

from models.statement import Statement

RECORDS = 2
"""The format of what workers record: 1 before migration 0013. One of an earlier format cannot read records of a later one."""

_REGISTER = f"""
    WITH known AS (INSERT INTO queue (name) VALUES (%(queue)s) ON CONFLICT DO NOTHING)
    INSERT INTO worker (id, name, host, pid, queue, slots, liveness_key, lease_until, records)
    VALUES (%(worker)s, %(name)s, %(host)s, %(pid)s, %(queue)s, %(slots)s, %(liveness_key)s, now() + %(lease_s)s * interval '1 s',
        {RECORDS})
    RETURNING id
    """
_SERVE = "UPDATE worker SET agents = %(agents)s WHERE id = %(worker)s AND dead_at IS NULL RETURNING id"
_KNOW_AGENT = """
    INSERT INTO agent (name, queue, version, description, input_schema, timeout_ms)
    VALUES (%(name)s, %(queue)s, %(version)s, %(description)s, %(schema)s::json, %(timeout_ms)s)
    ON CONFLICT (name) DO UPDATE SET queue = excluded.queue, version = excluded.version, last_seen_at = now(),
        description = excluded.description, input_schema = excluded.input_schema, timeout_ms = excluded.timeout_ms
    RETURNING name
    """
# One row for any number of runs. What the database says that the worker leases comes back with what was asked of it.
_RENEW = """
    WITH renewed AS (
        UPDATE worker SET lease_until = now() + %(lease_s)s * interval '1 s', draining = draining OR %(draining)s,
            consuming_at = CASE WHEN %(consuming_ago_s)s::float IS NULL THEN consuming_at
                ELSE now() - %(consuming_ago_s)s::float * interval '1 s' END
        WHERE id = %(worker)s AND dead_at IS NULL RETURNING id, draining
    )
    SELECT renewed.draining, run.id AS run_id, run.epoch, run.control_request, run.control_reason, run.control_by,
        run.control_grace_ms, run.inbox
    FROM renewed LEFT JOIN run ON run.lease_worker = renewed.id
    """
_DRAIN = "UPDATE worker SET draining = TRUE WHERE id = %(worker)s AND dead_at IS NULL RETURNING id"
OLDER = f"""
    SELECT name FROM worker
    WHERE queue = %(queue)s AND dead_at IS NULL AND lease_until > now() AND records < {RECORDS} ORDER BY name
    """
LEAVE = "UPDATE worker SET dead_at = now(), lease_until = now() WHERE id = %(worker)s AND dead_at IS NULL RETURNING id"


@dataclass(frozen=True, slots=True)
class LeasedRun:
    """A run that a renewing worker leases, with the request recorded on it; a worker without runs gets one without `run_id`.

    `draining` says that the worker is to drain, the same in every row of a renewal.
    """

    draining: bool
    run_id: UUID | None = None
    epoch: int | None = None
    control_request: str | None = None
    control_reason: str | None = None
    control_by: str | None = None
    control_grace_ms: int | None = None
    inbox: int = 0


def register(
    worker: UUID, *, name: str, host: str, pid: int, queue: str, slots: int, liveness_key: int, lease_s: float
) -> Statement[UUID]:
    """Write the worker's row, and its queue if that is new. It offers no slots until it declares the agents that it serves."""
    return Statement(
        _REGISTER,
        {
            "worker": worker,
            "name": name,
            "host": host,
            "pid": pid,
            "queue": queue,
            "slots": slots,
            "liveness_key": liveness_key,
            "lease_s": lease_s,
        },
        UUID,
    )


def serve(worker: UUID, agents: list[str]) -> Statement[UUID]:
    """Write which agents the worker's hosts declared."""
    return Statement(_SERVE, {"worker": worker, "agents": agents}, UUID)


def know_agent(
    name: str, *, queue: str, version: str, description: str | None, schema: str, timeout_ms: int | None
) -> Statement[str]:
    """Write an agent with its input schema (JSON text), also for times at which none of its workers lives."""
    return Statement(
        _KNOW_AGENT,
        {
            "name": name,
            "queue": queue,
            "version": version,
            "description": description,
            "schema": schema,
            "timeout_ms": timeout_ms,
        },
        str,
    )


def renew(worker: UUID, *, lease_s: float, consuming_ago_s: float | None, draining: bool) -> Statement[LeasedRun]:
    """Prolong the lease. Returns the worker's runs with their requests, or no rows if it was declared dead."""
    params = {"worker": worker, "lease_s": lease_s, "consuming_ago_s": consuming_ago_s, "draining": draining}
    return Statement(_RENEW, params, LeasedRun)


def older(queue: str) -> Statement[str]:
    """Read the names of live workers of a queue that cannot read what this version records."""
    return Statement(OLDER, {"queue": queue}, str)


def leave(worker: UUID) -> Statement[UUID]:
    """Declare a worker dead: it leaves, or the scheduler finds it dead. Only the first of these gets a row."""
    return Statement(LEAVE, {"worker": worker}, UUID)


def drain(worker: UUID) -> Statement[UUID]:
    """Ask a worker to drain; it learns of that by its next renewal. Returns no row if it is not alive."""
    return Statement(_DRAIN, {"worker": worker}, UUID)
