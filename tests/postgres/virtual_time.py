"""A database clock that a test sets: a session whose `now()` is constant until the test advances it.

The three clocks that our statements read are shadowed by functions of a schema that the session's search path names
before PostgreSQL's own. Defaults of tables use the real clock; nothing is decided by them.
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
        """Set the clock."""
        self.now = now
        self.connection.execute(_SET, [now.isoformat()])

    def passes(self, seconds: float) -> None:
        """Advance the time."""
        self.set(self.now + timedelta(seconds=seconds))


def session(database_url: str) -> psycopg.Connection[dict[str, Any]]:
    """Open a session as the scheduler has it, but with this clock; its commits need not survive a crash."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS virtual")
        for clock in _CLOCKS:
            connection.execute(_SHADOW.format(clock))
    options = "-c search_path=virtual,pg_catalog,public -c synchronous_commit=off"
    opened = psycopg.connect(database_url, autocommit=True, row_factory=dict_row, options=options, prepare_threshold=2)
    set_up(opened)
    return opened


def stop_the_clock_of_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the gates read settings and the database's clock once in each turn, without adding time to it."""
    monkeypatch.setattr(gates, "time", SimpleNamespace(monotonic=lambda: float(Clock.turns)))
