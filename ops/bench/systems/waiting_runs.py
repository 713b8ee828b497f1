"""Backlogs of any size, written as rows, because enqueuing a million runs would take too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from models.blocked_on import KEY_LINE

TABLES = "run, payload, event, place"
_RUNS = f"""
    INSERT INTO run (id, tenant, agent, queue, window_name, concurrency_key, lined, blocked_on, fair_tag, ready_at, seq)
    SELECT uuidv7(), tenant, %(agent)s, queue, %(window)s, concurrency_key, concurrency_key IS NOT NULL,
        CASE WHEN concurrency_key IS NOT NULL THEN {KEY_LINE} END, turn, now(), 1
    FROM generate_series(0, %(runs)s - 1) AS n CROSS JOIN LATERAL (
        SELECT 'default' AS queue, %(key)s::text AS concurrency_key,
            't' || CASE WHEN %(together)s THEN n / %(each)s ELSE n %% %(tenants)s END AS tenant,
            1 + CASE WHEN %(together)s THEN n %% %(each)s ELSE n / %(tenants)s END AS turn
    ) AS run
    """
# No code looks up the run that holds the only place, so its row need not exist.
_HELD = """
    INSERT INTO place (line, run_id, tenant)
    SELECT DISTINCT blocked_on, uuidv7(), tenant FROM run WHERE concurrency_key = %(key)s
    """
_REST = (
    "INSERT INTO payload (run_id, tenant, input) SELECT id, tenant, '{\"steps\": 1}' FROM run WHERE agent = %(agent)s",
    """INSERT INTO event (run_id, seq, tenant, at, type, verb, status)
        SELECT id, 1, tenant, created_at, 'status', 'enqueue', status FROM run WHERE agent = %(agent)s""",
)


@dataclass(frozen=True)
class WaitingRuns:
    """Equal waiting runs: in the common queue, for one agent, behind one gate or none."""

    runs: int
    tenants: int = 1
    agent: str = "sums"
    window: str = ""
    key: str | None = None
    """A concurrency key without a free place."""
    together: bool = False
    """Each tenant enqueued its runs together: as tenants take turns, rows that are promoted together are far apart."""

    def fill(self, connection: psycopg.Connection[Any], *, whole: bool = False) -> None:
        """Add the rows of runs, and with `whole` those of their inputs and events."""
        given = {
            "runs": self.runs,
            "tenants": self.tenants,
            "each": max(1, self.runs // self.tenants),
            "together": self.together,
            "agent": self.agent,
            "window": self.window,
            "key": self.key,
        }
        for statement in (_RUNS, *([_HELD] if self.key else []), *(_REST if whole else ())):
            connection.execute(statement.encode(), given)


def settle(connection: psycopg.Connection[Any]) -> None:
    """Bring the tables into a settled state: statistics are up to date, pages are written."""
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")


def empty(connection: psycopg.Connection[Any]) -> None:
    """Delete all runs."""
    connection.execute(f"TRUNCATE {TABLES}".encode())
