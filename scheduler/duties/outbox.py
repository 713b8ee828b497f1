"""Delivery of effects on other runs: the end of a child to its parent, the cancel of a parent to its children, a consent to
all runs that wait for it.

The transaction that causes an effect writes it as a row. Here one transaction folds the rows of one target and deletes them, so
each effect happens exactly once, even if the leader dies. It locks the target's run first, as every transaction on the run's
waits does: a leader that was frozen before this finds no rows left.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import psycopg

from models.authorization.grants import AUTHORIZED
from models.runs import children, consents
from models.runs.effects import EffectResult, OutboxRow, Target
from models.runtime.bus import PROMOTE
from models.runtime.database import Connection
from models.runtime.facts import fact
from models.sql.locking import locked_one
from models.statement import Statement
from scheduler.duty import Done, Duty, Fact

Effect = Callable[[psycopg.Connection[Any], Target, Sequence[OutboxRow]], EffectResult]

TICK_SECONDS = 0.25
GATHER_SECONDS = 0.02  # between two turns: fast ends are folded together, a lone one immediately
REST = 1  # times a turn's duration, before the next turn: half of the loop's time is for promotion
TURN_SECONDS = 0.05  # of folding, before promotion gets its turn
ASIDE_SECONDS = 1.0  # before a target that could not be folded is tried again
TARGETS, BATCH = 100, 500  # rows that a turn looks at; rows of one target that it folds

# Read by the outbox's key: ids are in the order of time. The tenant is read for the planner only. Without it the planner may
# choose the index of targets, which holds all other columns, and sort it.
_TARGETS = f"""
    SELECT target_run_id, tenant FROM outbox WHERE target_run_id <> ALL(%(aside)s::uuid[]) ORDER BY id LIMIT {TARGETS}
    """
_LOCK = locked_one("id, tenant, finished_at")
_EXISTS = "SELECT id FROM run WHERE id = %(run)s"
_ROWS = f"SELECT * FROM outbox WHERE target_run_id = %(run)s ORDER BY id LIMIT {BATCH}"
_DELETE = "DELETE FROM outbox WHERE target_run_id = %(run)s AND id = ANY(%(rows)s)"


class Outbox(Duty):
    """Folds the rows at each hint, and four times a second."""

    wakes_on = frozenset({PROMOTE})

    def __init__(self, cancel_grace_s: float) -> None:
        self._effects: Mapping[str, Effect] = {
            AUTHORIZED: consents.hear,
            "child_ended": children.hear,
            "parent_canceled": partial(children.cancel, grace_ms=round(cancel_grace_s * 1000)),
        }
        self._next = 0.0
        self._aside: dict[UUID, float] = {}

    def step(self, connection: Connection) -> Iterator[Done]:
        """Fold the rows of some targets, each in a transaction of its own."""
        began = time.monotonic()
        if began < self._next:
            yield Done(self._next - began)
            return
        self._aside = {target: until for target, until in self._aside.items() if until > began}
        rows = connection.execute(_TARGETS, {"aside": list(self._aside)}).fetchall()
        targets = dict.fromkeys(row["target_run_id"] for row in rows)
        for target in targets:
            yield self._try(connection, target)
            if time.monotonic() > began + TURN_SECONDS:
                break
        if not targets:
            yield Done(TICK_SECONDS)
            return
        ended = time.monotonic()
        pause = max(GATHER_SECONDS, (ended - began) * REST)
        self._next = ended + pause
        yield Done(pause)

    def _try(self, connection: Connection, target: UUID) -> Done:
        """Fold a target's rows; one that fails must not hold up the others."""
        try:
            with connection.transaction():
                folded = self._fold(connection, target)
        except Exception:
            if connection.closed:
                raise
            fact("outbox.failed", level="exception", run=target)
            self._aside[target] = time.monotonic() + ASIDE_SECONDS
            return Done()
        events = [event for one in folded for event in one.events]
        facts = [Fact.of("run.folded", level="debug", run=event.run_id, status=event.status) for event in events]
        return Done.of_moves(events, *facts, workers=[worker for one in folded for worker in one.workers])

    def _fold(self, connection: Connection, target: UUID) -> list[EffectResult]:
        run = Statement(_LOCK, {"run": target}, Target).one(connection)
        if run is None and connection.execute(_EXISTS, {"run": target}).fetchone():
            return []  # locked by another transaction
        # Read under the lock: rows that another leader has folded are deleted by now.
        rows = Statement(_ROWS, {"run": target}, OutboxRow).all(connection)
        folded = []
        for name in dict.fromkeys(row.effect for row in rows):
            these = [row for row in rows if row.effect == name]
            result = self._effects[name](connection, run, these) if run else EffectResult()
            if result.done:
                connection.execute(_DELETE, {"run": target, "rows": [row.id for row in these]})
            folded.append(result)
        return folded
