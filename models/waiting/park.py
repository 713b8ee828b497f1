"""Parks: a run is parked, and what came before it ends its waits in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg

from models.authorization import grants
from models.moves import NewWait
from models.sql.events import question_json
from models.statement import Statement
from models.stored_event import StoredEvent, Written
from models.waiting.run_state import ResolvedWait, RunState
from models.waiting.waits import are_over, authorize, deliver
from models.waiting.wake import wake_run

# A park has one event, which shows its first question; each further question that it opens gets an event of its own.
_TELL_OTHERS = f"""
    WITH asked AS (
        SELECT *, row_number() OVER (ORDER BY kind = %(shown)s DESC, id) AS place FROM wait
        WHERE run_id = %(run)s AND resolved_at IS NULL AND epoch = %(epoch)s AND kind IN ('approval', 'authorization')
    ), opened AS (
        SELECT *, row_number() OVER (ORDER BY place) AS nth FROM asked WHERE place > 1 AND opened_at = now()
    ), noted AS (
        UPDATE run SET seq = seq + (SELECT count(*) FROM opened) WHERE id = %(run)s RETURNING *
    ), said AS (
        INSERT INTO event (run_id, seq, tenant, at, type, status, data)
        SELECT noted.id, noted.seq - (SELECT count(*) FROM opened) + nth, noted.tenant, noted.updated_at,
            CASE opened.kind WHEN 'approval' THEN 'run_approval' ELSE 'authentication' END, noted.status,
            {question_json("opened")}
        FROM noted, opened
        RETURNING *
    )
    SELECT said.*, noted.queue FROM said, noted ORDER BY said.seq
    """
# Locks the run's row, and reads its inbox.
_HOLD = "SELECT inbox FROM run WHERE id = %(run)s FOR UPDATE"


@dataclass(frozen=True, slots=True)
class Park:
    """A park, and what follows in its transaction: events of further questions, and signals that came before and end its waits.

    A park that was overtaken is tried `again`, behind the lock of the run's row, where no transaction overtakes it. A run whose
    children end fast gets news all the time; without the lock, a moment without news may never come.
    """

    statement: Statement[StoredEvent]
    waits: Sequence[NewWait] = ()
    again: bool = False

    def one(self, connection: psycopg.Connection[Any]) -> Written | None:
        """Execute it in the caller's transaction. The first event is the park's; the others are those of what followed."""
        parked = self._locked(connection) if self.again else self.statement.one(connection)
        if parked is None:
            return None
        questions = sum(wait.kind in ("approval", "authorization") for wait in self.waits)
        shown = "authorization" if parked.status == "AUTH_REQUIRED" else "approval"
        asked = {"run": parked.run_id, "epoch": parked.epoch, "shown": shown}
        more = Statement(_TELL_OTHERS, asked, StoredEvent).all(connection) if questions > 1 else []
        over = deliver(parked.run_id).all(connection) + self._granted(parked.run_id, connection)
        run_state = RunState(
            parked.run_id,
            parked.tenant,
            parked.status,
            None,
            parked.epoch,
            pending_waits=self.statement.params["pending"],
        )
        return Written([parked, *more, *wake_run(connection, run_state, over)])

    def _locked(self, connection: psycopg.Connection[Any]) -> StoredEvent | None:
        """Lock the run and park it with its inbox as it is now, unless a wait that it would park for is over."""
        at, keys = self.statement.params, [wait.key for wait in self.waits]
        held = Statement(_HOLD, at).one(connection)
        if held is None or are_over(at["run"], keys).one(connection) is not None:
            return None
        return replace(self.statement, params={**at, **held}).one(connection)

    def _granted(self, run: UUID, connection: psycopg.Connection[Any]) -> list[ResolvedWait]:
        """Resolve waits by grants that were given since the agent asked: behind their locks, now that the waits are open."""
        keys = sorted({wait.grant_key for wait in self.waits if wait.grant_key})
        for key in keys:
            grants.lock(key).one(connection)
        return authorize(run).all(connection) if keys else []
