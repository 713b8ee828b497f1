"""Observer of the database, connected without links; a query waits while the server restarts."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

PATIENCE = 40.0
_IN_FLIGHT = """
    SELECT run.id::text AS run, run.agent, run.activations, run.crashes, worker.name AS worker, run.step_in_flight AS key
    FROM run JOIN worker ON worker.id = run.lease_worker
    WHERE run.step_in_flight IS NOT NULL AND run.control_request IS NULL AND worker.dead_at IS NULL ORDER BY run.id
    """
_AT_REST = """
    SELECT run.id::text AS run, run.agent, run.activations, run.crashes, worker.name AS worker, '' AS key
    FROM run JOIN worker ON worker.id = run.lease_worker
    WHERE run.step_in_flight IS NULL AND run.control_request IS NULL AND worker.dead_at IS NULL
        AND EXISTS (SELECT FROM wait WHERE run_id = run.id AND resolved_at IS NULL AND epoch = run.epoch) ORDER BY run.id
    """


@dataclass(frozen=True)
class InFlight:
    """A step in flight, and the process that executes its run; without a key, an executing run that only waits."""

    run: str
    agent: str
    activations: int
    crashes: int
    worker: str
    key: str


class Observer:
    """One connection, reopened if it is lost. Used by one thread at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._lock = threading.Lock()

    def rows(self, sql: str, params: Any = None) -> list[dict[str, Any]]:
        """Return all rows of a query; raises psycopg.OperationalError if the server stays unreachable."""
        deadline = time.monotonic() + PATIENCE
        with self._lock:
            while True:
                try:
                    return self._connected().execute(sql, params).fetchall()
                except psycopg.OperationalError:
                    self._connection = None
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)

    def in_flight(self) -> list[InFlight]:
        """Return the steps in flight."""
        return [InFlight(**row) for row in self.rows(_IN_FLIGHT)]

    def at_rest(self) -> list[InFlight]:
        """Return the executing runs with open waits and without a step in flight."""
        return [InFlight(**row) for row in self.rows(_AT_REST)]

    def close(self) -> None:
        if self._connection:
            self._connection.close()

    def _connected(self) -> psycopg.Connection[dict[str, Any]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url, autocommit=True, row_factory=dict_row, application_name="chaos", connect_timeout=5
            )
        return self._connection
