"""A clock of the database that a test turns: a session whose `now()` stands still until time is told to pass.

The three clocks that statements of ours read are shadowed by functions of a schema that the session's search path names
before PostgreSQL's own. What a table has by default is timed by the real clock; nothing is decided by that.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from models.runtime.database import set_up
from scheduler.promotion import gates

_CLOCKS = ("now", "clock_timestamp", "statement_timestamp")
_SHADOW = """
    CREATE OR REPLACE FUNCTION virtual.{}() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT current_setting('virtual.now')::timestamptz $$
    """
_SET = "SELECT set_config('virtual.now', %s, FALSE)"


class Clock:
    """The time of one session."""

    turns = 0
    """How often it was said that the gates are to be read anew; they have no other clock."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]], now: datetime) -> None:
        self.connection = connection
        self.set(now)

    def set(self, now: datetime) -> None:
        """Turn the clock."""
        self.now = now
        self.connection.execute(_SET, [now.isoformat()])

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.set(self.now + timedelta(seconds=seconds))


def session(database_url: str) -> psycopg.Connection[dict[str, Any]]:
    """Open a session as the scheduler has it, but with clocks that are turned; what it commits need not survive a crash."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS virtual")
        for clock in _CLOCKS:
            connection.execute(_SHADOW.format(clock))
    options = "-c search_path=virtual,pg_catalog,public -c synchronous_commit=off"
    opened = psycopg.connect(database_url, autocommit=True, row_factory=dict_row, options=options, prepare_threshold=2)
    set_up(opened)
    return opened


def stop_the_clock_of_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the gates read once in each turn what is configured and what the database's clock says, and add no time to it."""
    monkeypatch.setattr(gates, "time", SimpleNamespace(monotonic=lambda: float(Clock.turns)))
