"""A window through its life: put, overridden for a time, deleted. Each change notes who made it in the same statement."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import psycopg

from models.ids import new_id
from models.statement import Statement

# `noted` follows `changed`: no change without its author.
_NOTED = """, noted AS (
        INSERT INTO window_change (id, window_name, by, change, data)
        SELECT %(change_id)s, name, %(by)s, %(change)s, %(data)s::json FROM changed
    )
    SELECT * FROM changed
    """
_PUT = f"""
    WITH changed AS (
        INSERT INTO "window" (name, cron, duration_ms, timezone, kind, on_close)
        VALUES (%(name)s, %(cron)s, %(duration_ms)s, %(timezone)s, %(kind)s, %(on_close)s)
        ON CONFLICT (name) DO UPDATE SET cron = excluded.cron, duration_ms = excluded.duration_ms,
            timezone = excluded.timezone, kind = excluded.kind, on_close = excluded.on_close
        RETURNING *
    ){_NOTED}"""
_OVERRIDE = f"""
    WITH changed AS (
        UPDATE "window" SET override = %(state)s, override_by = %(by)s, override_reason = %(reason)s,
            override_until = %(until)s
        WHERE name = %(name)s RETURNING *
    ){_NOTED}"""
_END_OVERRIDE = f"""
    WITH changed AS (
        UPDATE "window" SET override = NULL, override_by = NULL, override_reason = NULL, override_until = NULL
        WHERE name = %(name)s AND override IS NOT NULL RETURNING *
    ){_NOTED}"""
_DELETE = f"""
    WITH changed AS (DELETE FROM "window" WHERE name = %(name)s RETURNING *){_NOTED}"""
# A run must not be accepted for a window that is being deleted: the second transaction waits for the first.
_HOLD = 'SELECT name FROM "window" WHERE name = ANY(%(names)s) FOR KEY SHARE'
# In the order in which people would look for it. The runs are looked through; nobody deletes windows often.
_USED = """
    SELECT 'queue ' || name AS what FROM queue WHERE window_name = %(name)s
    UNION ALL SELECT 'agent ' || name FROM agent WHERE window_name = %(name)s
    UNION ALL (SELECT 'run ' || id FROM run WHERE window_name = %(name)s AND finished_at IS NULL LIMIT 1)
    UNION ALL (SELECT 'a schedule' FROM schedule WHERE request -> 'run' ->> 'window' = %(name)s LIMIT 1)
    """


def put(name: str, *, cron: str, duration_ms: int, timezone: str, kind: str, on_close: str, by: str) -> Statement[str]:
    """Write a window, new or changed; an override stays."""
    given = {"cron": cron, "duration_ms": duration_ms, "timezone": timezone, "kind": kind, "on_close": on_close}
    return Statement(_PUT, {"name": name, **given, **_change("put", by, given)}, str)


def override(name: str, *, state: str, until: datetime, by: str, reason: str | None) -> Statement[str]:
    """Hold the window `open` or `closed` until a moment, whatever its timetable says. Returns no row for an unknown name."""
    noted = {"state": state, "until": until.isoformat(), "reason": reason}
    given = {"state": state, "until": until, "reason": reason}
    return Statement(_OVERRIDE, {"name": name, **given, **_change("override", by, noted)}, str)


def end_override(name: str, *, by: str) -> Statement[str]:
    """Return to the timetable. Returns no row if there is no override."""
    return Statement(_END_OVERRIDE, {"name": name, **_change("override_ended", by, None)}, str)


def delete(name: str, *, by: str) -> Statement[str]:
    """Delete the window; the caller then checks with `used`, in the same transaction, that it gates nothing."""
    return Statement(_DELETE, {"name": name, **_change("deleted", by, None)}, str)


def used(name: str) -> Statement[str]:
    """Name what the window still gates."""
    return Statement(_USED, {"name": name}, str)


def hold(names: list[str]) -> Statement[str]:
    """Lock these windows against deletion until the transaction ends. Returns the names of those that exist."""
    return Statement(_HOLD, {"names": names}, str)


def missing(connection: psycopg.Connection[Any], names: Iterable[str]) -> list[str]:
    """Lock these windows, as new runs need it, and return the names that do not exist."""
    wanted = set(names)
    return sorted(wanted - set(hold(sorted(wanted)).all(connection))) if wanted else []


def _change(change: str, by: str, data: dict[str, Any] | None) -> dict[str, Any]:
    return {"change_id": new_id(), "change": change, "by": by, "data": None if data is None else json.dumps(data)}
