"""Queries for a run and everything that a leased or parked run depends on; each finds its rows by a key or an index."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from api.explain.parked_blockers import child_of
from api.explain.snapshot import Leased, Parked, Paused, SlotHeld, Windows
from models.lifecycle import PauseKind, Verb
from models.runtime.session_locks import LEADER, held
from models.statement import Statement
from models.tables.run import Run
from models.tables.wait import Wait
from models.tables.window import Window

Connection = psycopg.Connection[Any]
MOST_HOLDING = 20
"""Reasons for a kept slot that are named."""
MOST_WAITS = 100
"""Waits that are shown of one run; it may wait for thousands of children."""

_RUN = "SELECT *, now() AS now FROM run WHERE id = %(run)s AND tenant = %(tenant)s"
_LED = f"SELECT {held(str(LEADER))} AS led"
_WINDOWS = 'SELECT * FROM "window" ORDER BY name'
_LEASED = """
    SELECT name, dead_at IS NOT NULL OR lease_until <= now() AS lost, coalesce(dead_at, lease_until) AS lost_at
    FROM worker WHERE id = %(worker)s
    """
# Only waits of the newest park or of this activation: the agent may have continued without older ones. Waits for people first.
_WAITS = f"""
    SELECT wait.*, count(*) OVER () AS altogether FROM wait
    WHERE run_id = %(run)s AND resolved_at IS NULL AND epoch = %(epoch)s ORDER BY kind = 'child', id LIMIT {MOST_WAITS}
    """
_NAMED = """
    SELECT run.id, run.status FROM unnest(%(runs)s::uuid[]) WITH ORDINALITY AS wanted (id, n) CROSS JOIN LATERAL (
        SELECT id, status FROM run WHERE run.id = wanted.id AND tenant = %(tenant)s LIMIT 1  -- one by its key, never a join
    ) AS run ORDER BY n
    """
# Reports of earlier activations are out of date.
_SLOT = "SELECT what, since FROM held WHERE run_id = %(run)s AND epoch = %(epoch)s"
_PAUSED = f"""
    SELECT at, data FROM event WHERE run_id = %(run)s AND verb = '{Verb.PAUSE_BY_USER}' ORDER BY seq DESC LIMIT 1
    """


def read_run(connection: Connection, tenant: str, run: UUID) -> tuple[datetime, Run] | None:
    """Read a run of the tenant, and the database's time; None if the tenant has no such run."""
    row = Statement(_RUN, {"run": run, "tenant": tenant}).one(connection)
    return (row.pop("now"), Run(**row)) if row else None


def read_led(connection: Connection) -> bool:
    """Return whether a scheduler leads."""
    row = Statement(_LED, {}).one(connection)
    return bool(row and row["led"])


def read_windows(connection: Connection, now: datetime) -> Windows:
    """Read all windows; there are few."""
    rows = Statement(_WINDOWS, {}).all(connection)
    return Windows(now, {row["name"]: Window(**row) for row in rows})


def read_leased(connection: Connection, now: datetime, run: Run) -> Leased:
    """Read the worker that leases the run; a worker without a row has been dead for long."""
    assert run.lease_worker is not None
    row = Statement(_LEASED, {"worker": run.lease_worker}).one(connection)
    return Leased(run.lease_worker, **row) if row else Leased(run.lease_worker, str(run.lease_worker), True, now)


def read_named(connection: Connection, tenant: str, runs: Sequence[UUID]) -> dict[UUID, str]:
    """Read the statuses of the tenant's runs among these, in their order."""
    rows = Statement(_NAMED, {"runs": list(runs), "tenant": tenant}).all(connection) if runs else []
    return {row["id"]: row["status"] for row in rows}


def read_parked(connection: Connection, now: datetime, run: Run) -> Parked:
    """Read the waits of a parked or executing run."""
    windows = read_windows(connection, now)
    if run.pause_kind == PauseKind.USER:
        return Parked(now, run, windows, paused=_read_pause(connection, run.id))
    rows = Statement(_WAITS, {"run": run.id, "epoch": run.epoch}).all(connection)
    altogether = [row.pop("altogether") for row in rows]
    waits = [Wait(**row) for row in rows]
    children = [child for wait in waits if wait.kind == "child" and (child := child_of(wait.request or {}))]
    return Parked(
        now,
        run,
        windows,
        led=read_led(connection),
        waits=waits,
        more=altogether[0] - len(waits) if waits else 0,
        children=read_named(connection, run.tenant, children),
    )


def read_executing(connection: Connection, now: datetime, run: Run) -> Parked:
    """Read the waits of an executing run's agent, and everything that keeps its slot."""
    row = Statement(_SLOT, {"run": run.id, "epoch": run.epoch}).one(connection)
    by = [_named(one) for one in row["what"] if isinstance(one, dict)][:MOST_HOLDING] if row else []
    slot = SlotHeld(by, row["since"]) if row and by else None
    return replace(read_parked(connection, now, run), slot=slot)


def _named(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return one reported reason for a kept slot; it comes from the agent's process, so it may hold anything."""
    line = one.get("line")
    texts = {name: value if isinstance(value := one.get(name), str) else None for name in ("kind", "what", "file")}
    return {**texts, "kind": texts["kind"] or "other", "line": line if isinstance(line, int) else None}


def _read_pause(connection: Connection, run: UUID) -> Paused | None:
    row = Statement(_PAUSED, {"run": run}).one(connection)
    said = (row["data"] or {}) if row else {}
    return Paused(said.get("by"), said.get("comment"), row["at"]) if row else None
