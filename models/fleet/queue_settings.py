"""What people say about all runs of a queue or of an agent: how many, how fast, when, or that they stand still."""

import json
from collections.abc import Mapping
from typing import Any, Literal

import psycopg

from models.calendar import windows
from models.runtime.database import Row
from models.statement import Statement

_MAKE_QUEUE = "INSERT INTO queue (name) VALUES (%(name)s) ON CONFLICT DO NOTHING"
# Whoever changes a queue comes after whoever changes it already: what was said last of it, and of its tenants, holds.
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
    """Keep a window that is to be named from being deleted meanwhile; False: there is none of this name."""
    return name is None or bool(windows.hold([name]).all(connection))


def change_queue(connection: psycopg.Connection[Any], name: str, asked: Mapping[str, Any]) -> bool:
    """Change what is asked for of a queue in the caller's transaction, and what follows from it; a new queue is made.

    `weights` are those of all tenants: whose is not named weighs 1. What changes the lines of the queue is noted for the
    leading scheduler, which looks at them.
    """
    connection.execute(_MAKE_QUEUE, {"name": name})  # it may be told what to do before its first worker comes
    before = Statement(_HOLD_QUEUE, {"name": name}).one(connection)
    assert before is not None
    change("queue", name, asked).one(connection)
    if "weights" in asked:
        _weigh(connection, name, asked["weights"] or {})
    if _lines_change(before, asked):
        connection.execute(_LOOK_AT_LINES, {"name": name})
    return True


def change_agent(connection: psycopg.Connection[Any], name: str, asked: Mapping[str, Any]) -> bool:
    """Change what is asked for of an agent in the caller's transaction; False: there is none of this name."""
    return change("agent", name, asked).one(connection) is not None


def change(kind: Literal["queue", "agent"], name: str, asked: Mapping[str, Any]) -> Statement[str]:
    """Change what is asked for, and nothing that follows from it; what is not asked for stays. No row: there is none such."""
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
