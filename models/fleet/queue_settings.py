"""Settings of a queue or an agent, which hold for all its runs: how many, how fast, when, or paused."""

import json
from collections.abc import Mapping
from typing import Any, Literal

import psycopg

from models.calendar import windows
from models.runtime.database import Row
from models.statement import Statement

_MAKE_QUEUE = "INSERT INTO queue (name) VALUES (%(name)s) ON CONFLICT DO NOTHING"
# Changes of a queue wait for one another: the settings of the last one hold, also those of its tenants.
_HOLD_QUEUE = "SELECT tenant_limit, key_limit, hold_keys FROM queue WHERE name = %(name)s FOR NO KEY UPDATE"
_LOOK_AT_LINES = "INSERT INTO place_change (queue) VALUES (%(name)s)"
_WEIGH = """
    INSERT INTO tenant_share AS share (queue, tenant, weight)
    SELECT %(name)s, tenant, weight FROM unnest(%(tenants)s::text[], %(weights)s::double precision[]) AS given (tenant, weight)
    ORDER BY tenant
    ON CONFLICT (queue, tenant) DO UPDATE SET weight = excluded.weight WHERE share.weight <> excluded.weight
    """
_UNWEIGH = "DELETE FROM tenant_share WHERE queue = %(name)s AND tenant <> ALL(%(tenants)s::text[])"
_COLUMNS = {"limit": "run_limit", "window": "window_name"}
_JSON = ("rate", "weights")
_OF_LINES = ("tenant_limit", "key_limit", "hold_keys")


def holds_window(connection: psycopg.Connection[Any], name: str | None) -> bool:
    """Lock a window that a setting names against deletion. Return whether a window of this name exists."""
    return name is None or bool(windows.hold([name]).all(connection))


def change_queue(connection: psycopg.Connection[Any], name: str, asked: Mapping[str, Any]) -> bool:
    """Change settings of a queue in the caller's transaction, and what follows from them; a new queue is created.

    `weights` are those of all tenants: a tenant that is not named weighs 1. A change of the queue's lines is recorded for
    the leading scheduler, which checks them again.
    """
    connection.execute(_MAKE_QUEUE, {"name": name})  # it may be configured before its first worker starts
    before = Statement(_HOLD_QUEUE, {"name": name}).one(connection)
    assert before is not None
    change("queue", name, asked).one(connection)
    if "weights" in asked:
        _weigh(connection, name, asked["weights"] or {})
    if _lines_change(before, asked):
        connection.execute(_LOOK_AT_LINES, {"name": name})
    return True


def change_agent(connection: psycopg.Connection[Any], name: str, asked: Mapping[str, Any]) -> bool:
    """Change settings of an agent in the caller's transaction. Return whether an agent of this name exists."""
    return change("agent", name, asked).one(connection) is not None


def change(kind: Literal["queue", "agent"], name: str, asked: Mapping[str, Any]) -> Statement[str]:
    """Change these settings and nothing that follows from them. Returns no row if the queue or agent does not exist."""
    sets = [f"{_COLUMNS.get(word, word)} = %({word})s{'::json' * (word in _JSON)}" for word in asked]
    values = {word: json.dumps(value) if word in _JSON and value else value for word, value in asked.items()}
    sql = f"UPDATE {kind} SET {', '.join(sets) or 'name = name'} WHERE name = %(name)s RETURNING name"
    return Statement(sql, {"name": name, **values}, str)


def _weigh(connection: psycopg.Connection[Any], name: str, weights: Mapping[str, float]) -> None:
    given = {"name": name, "tenants": list(weights), "weights": list(weights.values())}
    connection.execute(_WEIGH, given)
    connection.execute(_UNWEIGH, given)


def _lines_change(before: Row, asked: Mapping[str, Any]) -> bool:
    return any(column in asked and asked[column] != before[column] for column in _OF_LINES)
