"""Completion of many runs: the end of the last one, by the system's own records, and the success of all."""

from __future__ import annotations

import time
from typing import LiteralString

import psycopg

from ops.bench.systems.system import CannotMeasure

LOOK_EVERY = 0.05
"""Seconds between two polls; the end time comes from the records, so polling costs no precision."""
PATIENCE = 120.0

TAXIWAY: LiteralString = """
    SELECT count(*) FILTER (WHERE finished_at IS NULL), count(*) FILTER (WHERE status IN ('FAILED', 'CANCELED')),
        extract(epoch FROM max(finished_at))::float8
    FROM run WHERE tenant = 'default'
    """
DBOS: LiteralString = """
    SELECT count(*) FILTER (WHERE status IN ('ENQUEUED', 'PENDING')), count(*) FILTER (WHERE status LIKE '%%ERROR%%'),
        max(updated_at)::float8 / 1000
    FROM dbos.workflow_status
    """


def end_of_last(connection: psycopg.Connection, question: LiteralString) -> float:
    """Wait until no run is unfinished and return when the last one ended, in seconds since 1970; raise `CannotMeasure`."""
    deadline = time.monotonic() + PATIENCE
    while True:
        row = connection.execute(question).fetchone()
        assert row is not None, "an aggregate always returns a row"
        unfinished, failed, ended = row
        if failed:
            raise CannotMeasure(f"{failed} runs failed")
        if not unfinished:
            return float(ended)
        if time.monotonic() > deadline:
            raise CannotMeasure(f"{unfinished} runs had not ended after {PATIENCE:.0f} s")
        time.sleep(LOOK_EVERY)
