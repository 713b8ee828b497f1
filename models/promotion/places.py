"""Places: the right of a run to be promoted although others compete with it, by a concurrency key or by their tenant.

A line has the waiting runs of one key, or of one tenant in a queue that limits tenants, and a number of places. A run that asks
for a place waits in the line, in the order of promotion, until one is free. It takes its places before it may be promoted, keeps
them while it is ready or executes, and frees them when it ends or parks. Where its queue has `hold_keys`, it frees the place of
its key only when it ends.

    asks (blocked_on = place) ──► waits (blocked_on = the line) ──► holds (a row of `place`, ready) ──► executes
            ▲                                                                                            │
            └──────────────────────── resumes ◄──────── parked, its places freed ◄───────────────────────┘

A transaction that makes a run ask for places or free them also writes a `place_change`. Only the leading scheduler gives and
takes places, so that no two transactions count the same place. It locks the runs first, as `models.sql.locking` describes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from models.blocked_on import BLOCKED_UNTIL, KEY_LINE, PLACE, TENANT_LINE
from models.sql.locking import locked_in_order
from models.statement import Statement

BATCH = 500
LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class PlaceChange:
    """A reason to check places: a run that asks for or frees some, or a queue whose limits changed."""

    id: int
    run_id: UUID | None
    queue: str | None


@dataclass(frozen=True, slots=True)
class SentRun:
    """A run that waits in a line now, or (`line` is None) holds all places that it needs."""

    id: UUID
    queue: str
    line: str | None


@dataclass(frozen=True, slots=True)
class LineHead:
    """A run at the head of a line. `left_out` says that another transaction has locked it, so it did not get its place."""

    id: UUID
    line: str
    left_out: bool


@dataclass(frozen=True, slots=True)
class PlaceLimits:
    """How many places each line of one queue has; None: no limit."""

    name: str
    key_limit: int | None
    tenant_limit: int | None


def given_up(line: str) -> str:
    """Return the condition that a run which gives up its place in `line` also loses the place of the row.

    With the place of its key a run loses that of its tenant: otherwise it would wait for its key, while the run that took the
    key waits for the tenant's place.
    """
    return f"(place.line = {line} OR starts_with({line}, 'key:'))"


# Reads the changes that need a check, the oldest first.
_CHANGES = f"SELECT id, run_id, queue FROM place_change ORDER BY id LIMIT {BATCH}"
# Locks the runs to check. A run that another transaction has locked is checked in the next turn.
_LOCK = locked_in_order("SELECT id FROM unnest(%(runs)s::uuid[]) AS id")
# Deletes the changes that were checked: of queues, of missing runs, and of locked runs. The others stay for the next turn.
_DONE = """
    DELETE FROM place_change AS change WHERE id = ANY(%(changes)s::bigint[]) AND (queue IS NOT NULL
        OR run_id = ANY(%(locked)s::uuid[]) OR (SELECT id FROM run WHERE run.id = change.run_id) IS NULL)
    RETURNING id
    """
_ENDED_OR_HELD = "(finished_at IS NOT NULL OR status = 'QUEUED' AND control_request = 'pause')"
_PARKED = "(ready_at IS NULL AND lease_worker IS NULL)"
# Frees the places of runs that ended, parked or are held. A parked run keeps the place of its key where its queue says so.
_FREE = f"""
    WITH idle AS (
        SELECT run.id, {_ENDED_OR_HELD} OR NOT coalesce(hold_keys, FALSE) AS frees_keys
        FROM unnest(%(runs)s::uuid[]) AS checked (id) CROSS JOIN LATERAL (
            SELECT * FROM run WHERE run.id = checked.id AND ({_ENDED_OR_HELD} OR {_PARKED}) LIMIT 1
        ) AS run LEFT JOIN queue ON queue.name = run.queue
    )
    DELETE FROM place USING idle WHERE place.run_id = ANY (ARRAY[idle.id]) AND (frees_keys OR NOT starts_with(line, 'key:'))
    RETURNING line
    """
# Sends runs that ask for places to the next line: first that of the key, then that of the tenant. A run that holds all places
# that it needs is ready.
_SEND = f"""
    WITH asking AS (
        SELECT run.id, CASE
            WHEN run.concurrency_key IS NOT NULL AND NOT EXISTS (SELECT FROM place WHERE run_id = run.id AND line = {KEY_LINE})
                THEN {KEY_LINE}
            WHEN queue.tenant_limit IS NOT NULL AND NOT EXISTS (SELECT FROM place WHERE run_id = run.id AND line = {TENANT_LINE})
                THEN {TENANT_LINE} END AS line
        FROM unnest(%(runs)s::uuid[]) AS checked (id) JOIN run ON run.id = checked.id LEFT JOIN queue ON queue.name = run.queue
        WHERE blocked_on = '{PLACE}' AND control_request IS NULL
    )
    UPDATE run SET blocked_on = asking.line FROM asking
    WHERE run.id = ANY (ARRAY[asking.id]) AND blocked_on = '{PLACE}' AND control_request IS NULL
    RETURNING run.id, run.queue, run.blocked_on AS line
    """
_IN_LINE = f"blocked_on = requested.line AND {BLOCKED_UNTIL} = '-infinity'"
_IN_ORDER = "ORDER BY priority DESC, fair_tag, id"
_REQUESTED = "unnest(%(lines)s::text[], %(limits)s::int[]) AS requested (line, most)"
# The first runs of a line may be behind a closed window or a paused agent. LOOKED_AT bounds how many of them are read.
_MAY_GO = "window_name <> ALL(%(closed)s::text[]) AND agent <> ALL(%(paused)s::text[])"
_MAY_GO_IN_LINE = f"""(
            SELECT id, priority, fair_tag FROM (
                SELECT * FROM run WHERE {_IN_LINE} {_IN_ORDER} LIMIT {LOOKED_AT}
            ) AS in_line WHERE {_MAY_GO} {_IN_ORDER}"""
# Gives the free places of lines to their heads. A head that another transaction has locked is skipped; `left_out` tells the
# scheduler to check the line again.
_ADMIT = f"""
    WITH heads AS (
        SELECT requested.line, head.id FROM {_REQUESTED} CROSS JOIN LATERAL {_MAY_GO_IN_LINE}
            LIMIT least({BATCH}, greatest(0, requested.most - (SELECT count(*) FROM place WHERE place.line = requested.line)))
        ) AS head
    ), locked AS (
        {locked_in_order("SELECT * FROM heads", "blocked_on = to_lock.line", columns="id, tenant", keep=["line"])}
    ), given AS (
        INSERT INTO place (line, run_id, tenant) SELECT line, id, tenant FROM locked ON CONFLICT DO NOTHING
    ), admitted AS (
        UPDATE run SET blocked_on = '{PLACE}' FROM locked WHERE run.id = ANY (ARRAY[locked.id])
            AND coalesce(blocked_on = locked.line, FALSE)
        RETURNING run.id, locked.line
    )
    SELECT heads.id, heads.line, admitted.id IS NULL AS left_out FROM heads LEFT JOIN admitted ON admitted.id = heads.id
    """
_IDLE = "coalesce(ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL, FALSE)"
# Takes places of full lines back for their heads. A run that holds a place but neither executes nor has a ticket gives way if it
# may not go itself, or if it never began and the head has a higher priority.
_GIVE_WAY = f"""
    WITH outranked AS (
        SELECT run.id, place.line FROM {_REQUESTED} CROSS JOIN LATERAL {_MAY_GO_IN_LINE} LIMIT 1
        ) AS head JOIN place ON place.line = requested.line JOIN run ON run.id = place.run_id
        WHERE requested.most <= (SELECT count(*) FROM place WHERE place.line = requested.line) AND {_IDLE}
            AND (status = 'QUEUED' AND run.priority < head.priority OR NOT ({_MAY_GO}))
    ), locked AS (
        {locked_in_order("SELECT * FROM outranked", _IDLE, keep=["line"])}
    ), sent_back AS (
        UPDATE run SET blocked_on = locked.line FROM locked WHERE run.id = ANY (ARRAY[locked.id]) AND {_IDLE}
        RETURNING run.id, locked.line
    )
    DELETE FROM place USING sent_back WHERE place.run_id = sent_back.id AND {given_up("sent_back.line")} RETURNING place.line
    """
# Reads how many places the lines of each queue have.
_LIMITS = "SELECT name, key_limit, tenant_limit FROM queue"
# Finds the next line after another by the index alone, however many runs wait in each.
_NEXT_LINE = "SELECT blocked_on AS line FROM run WHERE blocked_on > %(after)s ORDER BY blocked_on LIMIT 1"
# Requests another check of a run.
_AGAIN = "INSERT INTO place_change (run_id) VALUES (%(run)s) RETURNING id"
# Finds runs without a place of their tenant, because they became ready before their queue limited tenants.
_STRAYS = f"""
    SELECT id FROM run WHERE id = ANY(%(runs)s::uuid[])
        AND NOT EXISTS (SELECT FROM place WHERE place.run_id = run.id AND place.line = {TENANT_LINE})
    """
# Makes such runs ask for the places that they lack, unless they have a ticket or execute by now.
_LINE_UP = f"""
    WITH locked AS (
        {locked_in_order("SELECT id FROM unnest(%(runs)s::uuid[]) AS id", _IDLE)}
    ), asking AS (
        UPDATE run SET lined = TRUE, blocked_on = '{PLACE}' FROM locked WHERE run.id = ANY (ARRAY[locked.id]) AND {_IDLE}
        RETURNING run.id
    )
    INSERT INTO place_change (run_id) SELECT id FROM asking RETURNING run_id
    """


def changes() -> Statement[PlaceChange]:
    """Read the changes that need a check, the oldest first."""
    return Statement(_CHANGES, {}, PlaceChange)


def lock(runs: Sequence[UUID]) -> Statement[UUID]:
    """Lock runs in the order of their ids. The rows leave out runs that another transaction has locked."""
    return Statement(_LOCK, {"runs": list(runs)}, UUID)


def done(changes: Sequence[int], locked: Sequence[UUID]) -> Statement[int]:
    """Delete changes of these locked runs, of deleted runs, and of queues."""
    return Statement(_DONE, {"changes": list(changes), "locked": list(locked)}, int)


def free(runs: Sequence[UUID]) -> Statement[str]:
    """Free the places of locked runs that ended, parked or are held. The rows are their lines."""
    return Statement(_FREE, {"runs": list(runs)}, str)


def send(runs: Sequence[UUID]) -> Statement[SentRun]:
    """Send locked runs that ask for places to the next line they need; `line` is None for those that hold all and are ready."""
    return Statement(_SEND, {"runs": list(runs)}, SentRun)


@dataclass(frozen=True, slots=True)
class ClosedGates:
    """Closed windows and paused agents: their runs get no places, and keep none from others."""

    windows: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()


def admit(limits: Mapping[str, int | None], shut: ClosedGates) -> Statement[LineHead]:
    """Assign the free places of these lines to their heads, which then ask for the next place. A limit of None is no limit."""
    return Statement(_ADMIT, _lines(limits, shut), LineHead)


def give_way(limits: Mapping[str, int | None], shut: ClosedGates) -> Statement[str]:
    """Take places of these full lines back from runs that must yield to the head. The rows are lines with a free place."""
    return Statement(_GIVE_WAY, _lines(limits, shut), str)


def limits() -> Statement[PlaceLimits]:
    """Read how many places the lines of each queue have."""
    return Statement(_LIMITS, {}, PlaceLimits)


def next_line(after: str) -> Statement[str]:
    """Read the next line (or other gate) after this one that a run waits for."""
    return Statement(_NEXT_LINE, {"after": after}, str)


def again(run: UUID) -> Statement[int]:
    """Queue the run for another placement check."""
    return Statement(_AGAIN, {"run": run}, int)


def strays(runs: Sequence[UUID]) -> Statement[UUID]:
    """Find those of these runs that became ready before their queue limited tenants: they hold no place of their tenant."""
    return Statement(_STRAYS, {"runs": list(runs)}, UUID)


def line_up(runs: Sequence[UUID]) -> Statement[UUID]:
    """Make ready runs ask for the places that they lack."""
    return Statement(_LINE_UP, {"runs": list(runs)}, UUID)


def _lines(limits: Mapping[str, int | None], shut: ClosedGates) -> dict[str, list[str] | list[int]]:
    most = [2**31 - 1 if limit is None else limit for limit in limits.values()]
    return {"lines": list(limits), "limits": most, "closed": [*shut.windows], "paused": [*shut.agents]}
