"""Places: the right of a run to be promoted although others compete with it, by a concurrency key or by their tenant.

A line is what runs with one key wait in, or the runs of one tenant in a queue that limits tenants. It has so many places; who
asks for one waits in the line, in the order of promotion, until one is free. A run takes its places before it may be promoted,
keeps them while it is ready or executes, and frees them when it ends or parks (that of its key only when it ends, where its
queue says so).

    asks (blocked_on = place) ──► waits (blocked_on = the line) ──► holds (a row of `place`, ready) ──► executes
            ▲                                                                                            │
            └──────────────────────── goes on ◄──────── parked, its places freed ◄───────────────────────┘

Whoever makes a run ask or free something writes a `place_change` in the same transaction; only the leading scheduler gives and
takes places, so that no two ever count the same place. It locks the runs first, in the order of their ids, and changes them by
their keys (`ANY (ARRAY[…])` can be no join with all runs, whatever the planner thinks of their number).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from models.blocked_on import BLOCKED_UNTIL, KEY_LINE, PLACE, TENANT_LINE
from models.statement import Statement

BATCH = 500
LOOKED_AT = 1000


def given_up(line: str) -> str:
    """Say, as a condition on a place of a run that gives up its place in a line, that it loses this one.

    With that of its key it loses that of its tenant: else it would wait for its key while who took that waits for its tenant.
    """
    return f"(place.line = {line} OR starts_with({line}, 'key:'))"


_CHANGES = f"SELECT id, run_id, queue FROM place_change ORDER BY id LIMIT {BATCH}"
_LOCK = """
    SELECT locked.id FROM (SELECT id FROM unnest(%(runs)s::uuid[]) AS id ORDER BY id) AS wanted CROSS JOIN LATERAL (
        SELECT id FROM run WHERE run.id = wanted.id FOR UPDATE SKIP LOCKED
    ) AS locked
    """
# A change of a run that somebody decides about at the moment stays for the next turn.
_DONE = """
    DELETE FROM place_change AS change WHERE id = ANY(%(changes)s::bigint[]) AND (queue IS NOT NULL
        OR run_id = ANY(%(locked)s::uuid[]) OR (SELECT id FROM run WHERE run.id = change.run_id) IS NULL)
    RETURNING id
    """
_OVER = "(finished_at IS NOT NULL OR status = 'QUEUED' AND control_request = 'pause')"
_PARKED = "(ready_at IS NULL AND lease_worker IS NULL)"
_FREE = f"""
    WITH idle AS (
        SELECT run.id, {_OVER} OR NOT coalesce(hold_keys, FALSE) AS frees_keys
        FROM unnest(%(runs)s::uuid[]) AS wanted (id) CROSS JOIN LATERAL (
            SELECT * FROM run WHERE run.id = wanted.id AND ({_OVER} OR {_PARKED}) LIMIT 1
        ) AS run LEFT JOIN queue ON queue.name = run.queue
    )
    DELETE FROM place USING idle WHERE place.run_id = ANY (ARRAY[idle.id]) AND (frees_keys OR NOT starts_with(line, 'key:'))
    RETURNING line
    """
# First the line of its key, then that of its tenant; who holds all that it needs is ready.
_SEND = f"""
    WITH asking AS (
        SELECT run.id, CASE
            WHEN run.concurrency_key IS NOT NULL AND NOT EXISTS (SELECT FROM place WHERE run_id = run.id AND line = {KEY_LINE})
                THEN {KEY_LINE}
            WHEN queue.tenant_limit IS NOT NULL AND NOT EXISTS (SELECT FROM place WHERE run_id = run.id AND line = {TENANT_LINE})
                THEN {TENANT_LINE} END AS line
        FROM unnest(%(runs)s::uuid[]) AS wanted (id) JOIN run ON run.id = wanted.id LEFT JOIN queue ON queue.name = run.queue
        WHERE blocked_on = '{PLACE}' AND control_request IS NULL
    )
    UPDATE run SET blocked_on = asking.line FROM asking
    WHERE run.id = ANY (ARRAY[asking.id]) AND blocked_on = '{PLACE}' AND control_request IS NULL
    RETURNING run.id, run.queue, run.blocked_on AS line
    """
_IN_LINE = f"blocked_on = asked.line AND {BLOCKED_UNTIL} = '-infinity'"
_IN_ORDER = "ORDER BY priority DESC, fair_tag, id"
_ASKED = "unnest(%(lines)s::text[], %(limits)s::int[]) AS asked (line, most)"
# Of a line whose first runs may not go because their window is closed or their agent is paused, so many are looked at.
_MAY_GO = "window_name <> ALL(%(closed)s::text[]) AND agent <> ALL(%(paused)s::text[])"
_MAY_GO_IN_LINE = f"""(
            SELECT id, priority, fair_tag FROM (
                SELECT * FROM run WHERE {_IN_LINE} {_IN_ORDER} LIMIT {LOOKED_AT}
            ) AS first WHERE {_MAY_GO} {_IN_ORDER}"""
# A head that somebody decides about at the moment is passed over; `left_out` says that the line must be looked at again.
_ADMIT = f"""
    WITH heads AS (
        SELECT asked.line, head.id FROM {_ASKED} CROSS JOIN LATERAL {_MAY_GO_IN_LINE}
            LIMIT least({BATCH}, greatest(0, asked.most - (SELECT count(*) FROM place WHERE place.line = asked.line)))
        ) AS head
    ), chosen AS (
        SELECT locked.*, wanted.line FROM (SELECT * FROM heads ORDER BY id) AS wanted CROSS JOIN LATERAL (
            SELECT id, tenant FROM run WHERE run.id = wanted.id AND blocked_on = wanted.line FOR UPDATE SKIP LOCKED
        ) AS locked
    ), given AS (
        INSERT INTO place (line, run_id, tenant) SELECT line, id, tenant FROM chosen ON CONFLICT DO NOTHING
    ), admitted AS (
        UPDATE run SET blocked_on = '{PLACE}' FROM chosen WHERE run.id = ANY (ARRAY[chosen.id])
            AND coalesce(blocked_on = chosen.line, FALSE)
        RETURNING run.id, chosen.line
    )
    SELECT heads.id, heads.line, admitted.id IS NULL AS left_out FROM heads LEFT JOIN admitted ON admitted.id = heads.id
    """
# Who holds a place, but neither executes nor has a ticket, gives way to the head of the line if it may not go itself, or if
# it never began and the head has a higher priority.
_IDLE = "coalesce(ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL, FALSE)"
_GIVE_WAY = f"""
    WITH weak AS (
        SELECT run.id, place.line FROM {_ASKED} CROSS JOIN LATERAL {_MAY_GO_IN_LINE} LIMIT 1
        ) AS head JOIN place ON place.line = asked.line JOIN run ON run.id = place.run_id
        WHERE asked.most <= (SELECT count(*) FROM place WHERE place.line = asked.line) AND {_IDLE}
            AND (status = 'QUEUED' AND run.priority < head.priority OR NOT ({_MAY_GO}))
    ), chosen AS (
        SELECT locked.id, wanted.line FROM (SELECT * FROM weak ORDER BY id) AS wanted CROSS JOIN LATERAL (
            SELECT id FROM run WHERE run.id = wanted.id AND {_IDLE} FOR UPDATE SKIP LOCKED
        ) AS locked
    ), back AS (
        UPDATE run SET blocked_on = chosen.line FROM chosen WHERE run.id = ANY (ARRAY[chosen.id]) AND {_IDLE}
        RETURNING run.id, chosen.line
    )
    DELETE FROM place USING back WHERE place.run_id = back.id AND {given_up("back.line")} RETURNING place.line
    """
_LIMITS = "SELECT name, key_limit, tenant_limit FROM queue"
# The next line after another, however many wait in each: by the index alone.
_NEXT_LINE = "SELECT blocked_on AS line FROM run WHERE blocked_on > %(after)s ORDER BY blocked_on LIMIT 1"
_AGAIN = "INSERT INTO place_change (run_id) VALUES (%(run)s) RETURNING id"
_STRAYS = f"""
    SELECT id FROM run WHERE id = ANY(%(runs)s::uuid[])
        AND NOT EXISTS (SELECT FROM place WHERE place.run_id = run.id AND place.line = {TENANT_LINE})
    """
_LINE_UP = f"""
    WITH chosen AS (
        SELECT locked.id FROM (SELECT id FROM unnest(%(runs)s::uuid[]) AS id ORDER BY id) AS wanted CROSS JOIN LATERAL (
            SELECT id FROM run WHERE run.id = wanted.id AND {_IDLE} FOR UPDATE SKIP LOCKED
        ) AS locked
    ), asking AS (
        UPDATE run SET lined = TRUE, blocked_on = '{PLACE}' FROM chosen WHERE run.id = ANY (ARRAY[chosen.id]) AND {_IDLE}
        RETURNING run.id
    )
    INSERT INTO place_change (run_id) SELECT id FROM asking RETURNING run_id
    """


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


def changes() -> Statement[PlaceChange]:
    """Read what is to be looked at, the oldest first."""
    return Statement(_CHANGES, {}, PlaceChange)


def lock(runs: Sequence[UUID]) -> Statement[UUID]:
    """Lock runs, in the order of their ids; one that somebody decides about at the moment is left out."""
    return Statement(_LOCK, {"runs": list(runs)}, UUID)


def done(changes: Sequence[int], locked: Sequence[UUID]) -> Statement[int]:
    """Forget changes of these locked runs, of runs that are gone, and of queues."""
    return Statement(_DONE, {"changes": list(changes), "locked": list(locked)}, int)


def free(runs: Sequence[UUID]) -> Statement[str]:
    """Take the places of locked runs that ended, parked or are held. Rows: their lines."""
    return Statement(_FREE, {"runs": list(runs)}, str)


def send(runs: Sequence[UUID]) -> Statement[SentRun]:
    """Send locked runs that ask for places to the next line they need; `line` is None for those that hold all and are ready."""
    return Statement(_SEND, {"runs": list(runs)}, SentRun)


@dataclass(frozen=True, slots=True)
class ClosedGates:
    """The windows that are closed and the agents that stand still: their runs get no places, and keep none from others."""

    windows: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()


def admit(limits: Mapping[str, int | None], shut: ClosedGates) -> Statement[LineHead]:
    """Give the free places of these lines to their heads, which ask for the next place then; a limit of None is none."""
    return Statement(_ADMIT, _lines(limits, shut), LineHead)


def give_way(limits: Mapping[str, int | None], shut: ClosedGates) -> Statement[str]:
    """Take places of these full lines back from runs that must let the head go first. Rows: the lines in which one is free."""
    return Statement(_GIVE_WAY, _lines(limits, shut), str)


def limits() -> Statement[PlaceLimits]:
    """Read how many places the lines of each queue have."""
    return Statement(_LIMITS, {}, PlaceLimits)


def next_line(after: str) -> Statement[str]:
    """Read the next gate or line that any run waits for."""
    return Statement(_NEXT_LINE, {"after": after}, str)


def again(run: UUID) -> Statement[int]:
    """Have a run looked at once more."""
    return Statement(_AGAIN, {"run": run}, int)


def strays(runs: Sequence[UUID]) -> Statement[UUID]:
    """Find those of these runs that became ready before their queue limited tenants: they hold no place of theirs."""
    return Statement(_STRAYS, {"runs": list(runs)}, UUID)


def line_up(runs: Sequence[UUID]) -> Statement[UUID]:
    """Make ready runs ask for the places that they lack."""
    return Statement(_LINE_UP, {"runs": list(runs)}, UUID)


def _lines(limits: Mapping[str, int | None], shut: ClosedGates) -> dict[str, list[str] | list[int]]:
    most = [2**31 - 1 if limit is None else limit for limit in limits.values()]
    return {"lines": list(limits), "limits": most, "closed": [*shut.windows], "paused": [*shut.agents]}
