"""Brings effects on other runs to their targets: the end of a child to its parent, the cancel of a parent to its children, a
consent to all runs that wait for it.

Whoever causes an effect writes it as a row, in the transaction that causes it. Here the rows of one target are folded in
one transaction that also deletes them, so that each effect happens exactly once, whoever leads and whenever he dies. It locks
the target's run first, as everybody does who touches its waits: a leader that was frozen meanwhile finds nothing left.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import psycopg

from models.authorization.grants import AUTHORIZED
from models.runs import children, consents
from models.runs.effects import EffectResult, OutboxRow, Target
from models.runs.public_event import public
from models.runtime.bus import PROMOTE, Bus, worker_channel
from models.runtime.database import Connection
from models.runtime.facts import fact
from models.statement import Statement

Effect = Callable[[psycopg.Connection[Any], Target, Sequence[OutboxRow]], EffectResult]

TICK_SECONDS = 0.25
GATHER_SECONDS = 0.02  # between two turns: what ends fast is folded together, what ends alone at once
REST = 1  # as long as a turn took, before the next: half of the loop's time is promotion's
TURN_SECONDS = 0.05  # of folding, before promotion has its turn again
ASIDE_SECONDS = 1.0  # before a target is tried again that could not be folded
TARGETS, BATCH = 100, 500  # rows that a turn looks at, and that it folds of one target

# By the key of the outbox: ids are in the order of time. The tenant is read along for the planner alone: else it might choose
# the index of targets, which holds all the rest, and sort it.
_TARGETS = f"""
    SELECT target_run_id, tenant FROM outbox WHERE target_run_id <> ALL(%(aside)s::uuid[]) ORDER BY id LIMIT {TARGETS}
    """
_LOCK = "SELECT id, tenant, finished_at FROM run WHERE id = %(run)s ORDER BY id FOR UPDATE SKIP LOCKED"
_EXISTS = "SELECT id FROM run WHERE id = %(run)s"
_ROWS = f"SELECT * FROM outbox WHERE target_run_id = %(run)s ORDER BY id LIMIT {BATCH}"
_DELETE = "DELETE FROM outbox WHERE target_run_id = %(run)s AND id = ANY(%(rows)s)"


class Outbox:
    """Folds what there is at each hint, and four times a second."""

    def __init__(self, bus: Bus, cancel_grace_s: float) -> None:
        self._bus = bus
        self._effects: Mapping[str, Effect] = {
            AUTHORIZED: consents.hear,
            "child_ended": children.hear,
            "parent_canceled": partial(children.cancel, grace_ms=round(cancel_grace_s * 1000)),
        }
        self._next = 0.0
        self._aside: dict[UUID, float] = {}

    def step(self, connection: Connection) -> float:
        """Fold the rows of some targets, each in a transaction of its own."""
        began = time.monotonic()
        if began < self._next:
            return self._next - began
        self._aside = {target: until for target, until in self._aside.items() if until > began}
        rows = connection.execute(_TARGETS, {"aside": list(self._aside)}).fetchall()
        targets = dict.fromkeys(row["target_run_id"] for row in rows)
        for target in targets:
            self._try(connection, target)
            if time.monotonic() > began + TURN_SECONDS:
                break
        if not targets:
            return TICK_SECONDS
        ended = time.monotonic()
        pause = max(GATHER_SECONDS, (ended - began) * REST)
        self._next = ended + pause
        return pause

    def _try(self, connection: Connection, target: UUID) -> None:
        """Fold a target's rows; one that fails must not hold up the others."""
        try:
            with connection.transaction():
                folded = self._fold(connection, target)
        except Exception:
            if connection.closed:
                raise
            fact("outbox.failed", level="exception", run=target)
            self._aside[target] = time.monotonic() + ASIDE_SECONDS
        else:
            self._tell(folded)

    def _fold(self, connection: Connection, target: UUID) -> list[EffectResult]:
        run = Statement(_LOCK, {"run": target}, Target).one(connection)
        if run is None and connection.execute(_EXISTS, {"run": target}).fetchone():
            return []  # somebody decides about it at the moment
        # Read behind the lock: whoever folded before has deleted them by now.
        rows = Statement(_ROWS, {"run": target}, OutboxRow).all(connection)
        folded = []
        for name in dict.fromkeys(row.effect for row in rows):
            these = [row for row in rows if row.effect == name]
            came_to = self._effects[name](connection, run, these) if run else EffectResult()
            if came_to.done:
                connection.execute(_DELETE, {"run": target, "rows": [row.id for row in these]})
            folded.append(came_to)
        return folded

    def _tell(self, folded: Sequence[EffectResult]) -> None:
        for worker in {worker for one in folded for worker in one.workers}:
            self._bus.wake_up(worker_channel(worker))
        for event in (event for one in folded for event in one.events):
            fact("run.folded", level="debug", run=event.run_id, status=event.status)
            self._bus.publish_event(event.tenant, public(event))
            self._bus.wake_up(PROMOTE, event.queue)
