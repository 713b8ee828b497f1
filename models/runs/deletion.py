"""Deletion of runs, each with everything that belongs to it: no part of a run is ever left."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from models.sql.locking import locked_first
from models.statement import Statement

BELONGING = ("label", "payload", "step", "event", "log", "wait", "signal", "place", "expiry", "turn", "held")
"""Tables whose rows belong to the run that `run_id` names, and are found by it."""

# A transaction that changes a run, or retries it, keeps it. Locked in the order of their ids.
_LOCK = locked_first("SELECT id FROM run WHERE id = ANY(%(runs)s) AND finished_at IS NOT NULL")
# By the key of `delivery`, which begins with the webhook.
_DELIVERIES = """
    DELETE FROM delivery USING run, webhook
    WHERE run.id = ANY(%(runs)s) AND webhook.tenant = run.tenant AND webhook_id = webhook.id AND run_id = run.id
    """
_RUNS = "DELETE FROM run WHERE id = ANY(%(runs)s)"


def forget(connection: psycopg.Connection[Any], runs: Sequence[UUID]) -> list[UUID]:
    """Delete those of these runs that have ended and are not locked, in one transaction. Return their ids."""
    with connection.transaction(), connection.cursor() as cursor:
        gone = Statement(_LOCK, {"runs": list(runs)}, UUID).all(connection)
        if gone:
            cursor.execute(_DELIVERIES, {"runs": gone})
            for table in BELONGING:
                cursor.execute(f"DELETE FROM {table} WHERE run_id = ANY(%(runs)s)", {"runs": gone})
            cursor.execute(_RUNS, {"runs": gone})
    return gone
