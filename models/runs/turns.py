"""Turns of an async agent: the outcomes that it saw, their order, and the waits that it gave up.

A turn is one statement. Where waits are given up it is a transaction: the run's row is locked first, then each wait that is still
open is withdrawn, so that of a decision and a withdrawal that come at the same time exactly one holds.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from models.runs.recording import Fence, Limits
from models.sql.fence import UNDER_FENCE
from models.statement import Statement
from models.stored_event import StoredEvent, Written
from models.waiting import waits
from models.waiting.run_state import RunState
from models.waiting.wake import wake_run

_TURN = f"""
    WITH fenced AS (
        UPDATE run SET recorded_n = %(n)s, recorded_bytes = recorded_bytes + %(bytes)s, step_in_flight = %(in_flight)s,
            updated_at = now()
        WHERE {UNDER_FENCE} AND recorded_n < %(n)s AND recorded_bytes + %(bytes)s <= %(max_bytes)s
        RETURNING id, tenant, epoch, seq, status, pause_kind
    ), kept AS (
        INSERT INTO turn (run_id, epoch, n, tenant, seq, at_ms, seen, gone)
        SELECT id, epoch, %(n)s, tenant, seq, %(at_ms)s, %(seen)s::json, %(gone)s::json FROM fenced
    )
    SELECT id, tenant, epoch, status, pause_kind FROM fenced
    """
# In the order of the records: behind the step that was recorded before it, if they have the same place.
TURNS = """
    SELECT seq, n, epoch, at_ms AS at, seen, gone, (extract(epoch FROM committed_at) * 1000)::float8 AS "committedMs"
    FROM turn WHERE run_id = %(run)s ORDER BY seq, epoch, n
    """


def turn(
    fence: Fence,
    n: int,
    at_ms: float,
    *,
    seen: Sequence[str],
    gone: Sequence[str],
    limits: Limits,
    in_flight: str | None,
) -> "Statement[RunState] | GivingUp":
    """Record what the agent saw at a moment of the run's clock.

    Returns no row if the fence has passed, or if the run has reached the limit of what it records.
    """
    told = {name: json.dumps(list(keys), ensure_ascii=False) for name, keys in (("seen", seen), ("gone", gone))}
    params = {
        "run": fence.run, "epoch": fence.epoch, "worker": fence.worker, "n": n, "at_ms": at_ms, "in_flight": in_flight,
        "bytes": sum(len(text) for text in told.values()) + 100, "max_bytes": limits.recorded_bytes, **told,
    }  # fmt: skip
    statement = Statement(_TURN, params, RunState)
    return GivingUp(statement, gone) if gone else statement


@dataclass(frozen=True, slots=True)
class GivingUp:
    """A turn that gives waits up: those still open are withdrawn, and people who were asked see that."""

    statement: Statement[RunState]
    gone: Sequence[str]

    def one(self, connection: psycopg.Connection[Any]) -> Written | None:
        """Execute it in the caller's transaction."""
        run_state = self.statement.one(connection)
        return None if run_state is None else Written(self._given_up(connection, run_state))

    def _given_up(self, connection: psycopg.Connection[Any], run_state: RunState) -> list[StoredEvent]:
        return wake_run(connection, run_state, waits.withdraw(run_state.id, self.gone).all(connection))
