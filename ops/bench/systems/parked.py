"""Latency of decisions: until the parked run is claimed, beside any number of other parked runs, and until an executing agent
receives the decision.
"""

from __future__ import annotations

import time
from typing import Any

import httpx
import psycopg
from taxiway import Client

from ops.bench.systems.system import CannotMeasure

PATIENCE = 30.0
# Copies of one really parked run, so that they are complete; the names are constants of this module.
_TABLES = {"run": "id", "payload": "run_id", "event": "run_id", "step": "run_id"}
_NEW = "CREATE TEMP TABLE copy AS SELECT uuidv7() AS id, uuidv7() AS wait FROM generate_series(1, %s)"
_COPY = """
    INSERT INTO {table} SELECT made.* FROM {table} AS one, copy
    CROSS JOIN LATERAL json_populate_record(one, json_build_object('{key}', copy.id)) AS made WHERE one.{key} = %s
    """
_COPY_WAIT = """
    INSERT INTO wait SELECT made.* FROM wait AS one, copy
    CROSS JOIN LATERAL json_populate_record(one, json_build_object('id', copy.wait, 'run_id', copy.id)) AS made
    WHERE one.run_id = %s
    """
_OPEN = """
    SELECT wait.id::text FROM wait JOIN run ON run.id = wait.run_id
    WHERE run_id = %s AND resolved_at IS NULL AND (lease_worker IS NOT NULL) = %s
    """
_WENT_ON = "SELECT extract(epoch FROM at)::float FROM event WHERE run_id = %s AND verb = 'continue'"
_SIZE = "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest(%s::text[]) AS name"
_MEASURED = [*_TABLES, "wait", "label", "signal"]


class Parked:
    """One stack whose agents ask; `size_bytes` is the size of one more parked run, once many were made."""

    def __init__(self, client: Client, connection: psycopg.Connection[Any]) -> None:
        self._client, self._connection = client, connection
        self._http = httpx.Client(
            base_url=client.address.url, headers={"x-api-key": client.address.api_key}, trust_env=False
        )
        self._parked = 0
        self.size_bytes: float | None = None

    def fill(self, count: int) -> None:
        """Add so many parked runs, besides the measured ones."""
        more = count - self._parked
        if more <= 0:
            return
        one = self._client.enqueue("asked").id
        self._question(one)
        before = self._bytes()
        self._connection.execute(_NEW, [more])
        for table, key in _TABLES.items():
            self._connection.execute(_COPY.format(table=table, key=key).encode(), [one])
        self._connection.execute(_COPY_WAIT, [one])
        self._connection.execute("DROP TABLE copy")
        self.size_bytes = (self._bytes() - before) / more
        self._parked = count
        self._connection.execute("VACUUM ANALYZE")
        self._connection.execute("CHECKPOINT")

    def empty(self) -> None:
        """Delete the parked runs before the next measurement."""
        tables = ", ".join([*_TABLES, "wait"])
        self._connection.execute(f"TRUNCATE {tables}".encode())
        self._parked = 0

    def decide(self) -> float:
        """Return the seconds from the decision request to the claim of the run by a worker."""
        run = self._client.enqueue("asked").id
        began = self._approve(self._question(run))
        self._client.run(run).result(timeout=PATIENCE)
        return float(self._value(_WENT_ON, run)) - began

    def decide_while_executing(self) -> float:
        """Return the seconds from the decision request until the agent, which executes all the time, has the decision."""
        run = self._client.enqueue("asked_meanwhile")
        began = self._approve(self._question(run.id, executing=True))
        came = float(run.result(timeout=PATIENCE))
        if run.get().activations != 1:
            raise CannotMeasure(f"Run {run.id} was parked, but its agent should execute all the time.")
        return came - began

    def _approve(self, question: str) -> float:
        """Approve, and return when the request was sent."""
        began = time.time()
        answer = self._http.post(f"/v1/approvals/{question}", json={"decision": "approve"})
        if answer.status_code != httpx.codes.OK:
            raise CannotMeasure(f"A decision was answered with {answer.status_code}: {answer.text[:300]}")
        return began

    def _question(self, run: str, *, executing: bool = False) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if (found := self._value(_OPEN, run, executing)) is not None:
                return str(found)
            time.sleep(0.005)
        raise CannotMeasure(f"Run {run} did not ask within {PATIENCE:.0f} s.")

    def _bytes(self) -> int:
        return int(self._value(_SIZE, _MEASURED))

    def _value(self, sql: str, *given: Any) -> Any:
        row = self._connection.execute(sql.encode(), given).fetchone()
        return None if row is None else row[0]
