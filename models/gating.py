"""What people say about all runs of a queue or of an agent: that they stand still, or that a window gates them."""

from collections.abc import Mapping
from typing import Any, Literal

import psycopg

from models import windows
from models.statement import Statement

_COLUMNS = {"paused": "paused", "window": "window_name"}
_MAKE_QUEUE = "INSERT INTO queue (name) VALUES (%(name)s) ON CONFLICT DO NOTHING"


def make_queue(connection: psycopg.Connection[Any], name: str) -> None:
    """Make a queue if it is new: it may be told what to do before its first worker comes."""
    connection.execute(_MAKE_QUEUE, {"name": name})


def holds_window(connection: psycopg.Connection[Any], name: str | None) -> bool:
    """Keep a window that is to be named from being deleted meanwhile; False: there is none of this name."""
    return name is None or bool(windows.hold([name]).all(connection))


def change(kind: Literal["queue", "agent"], name: str, asked: Mapping[str, Any]) -> Statement:
    """Change `paused` and `window` of a queue or an agent; what is not asked for stays. No row: there is none such."""
    sets = ", ".join(f"{_COLUMNS[field]} = %({field})s" for field in asked) or "name = name"
    return Statement(f"UPDATE {kind} SET {sets} WHERE name = %(name)s RETURNING name", {"name": name, **asked})
