"""Opening of waits while the run executes: rows, events and links exist from the moment of the await, and no status changes.

An open wait belongs to the epoch that awaits it. A wait that an earlier activation opened is taken over as it is, with its link;
one that is over is left alone, and its outcome is read by the caller. The order is that of a park: first the run's row is locked,
then, in later statements, signals and grants are looked for, so that no wake-up is lost.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

import psycopg

from models.authorization import grants
from models.moves import NewWait
from models.runs.recording import Fence, Limits
from models.sql.events import question_json
from models.sql.fence import UNDER_FENCE
from models.statement import Statement
from models.stored_event import StoredEvent
from models.waiting import waits
from models.waiting.run_state import ResolvedWait, RunState
from models.waiting.wake import wake_run

# Waits of a run are inserted by its own activation alone, one item after another: which keys are known may be read here.
# `NOT IN` is one look at all keys of the run, however many are asked for.
_OPEN = f"""
    WITH asked AS (
        SELECT * FROM json_to_recordset(%(waits)s::json) AS new (id uuid, key text, kind text, request json, due_ms bigint,
            on_due text, nonce text, digest text, grant_key text)
    ), fresh AS (
        SELECT * FROM asked WHERE key NOT IN (SELECT key FROM wait WHERE run_id = %(run)s)
    ), size AS (
        SELECT coalesce(sum(octet_length(request::text) + 100), 0) AS bytes FROM fresh
    ), fenced AS (
        UPDATE run SET recorded_n = %(n)s, recorded_bytes = recorded_bytes + (SELECT bytes FROM size),
            step_in_flight = %(in_flight)s, updated_at = now()
        WHERE {UNDER_FENCE} AND recorded_n < %(n)s AND recorded_bytes + (SELECT bytes FROM size) <= %(max_bytes)s
        RETURNING id, tenant, epoch, status, pause_kind, queue
    ), taken_over AS (
        UPDATE wait SET epoch = fenced.epoch, wake = 'any' FROM fenced, asked
        WHERE wait.run_id = fenced.id AND wait.key = asked.key AND wait.resolved_at IS NULL
        RETURNING wait.id
    ), opened AS (
        INSERT INTO wait (id, run_id, tenant, key, kind, wake, epoch, request, due_at, on_due, nonce, digest, grant_key)
        SELECT fresh.id, fenced.id, tenant, key, kind, 'any', epoch, request, now() + due_ms * interval '1 ms', on_due, nonce,
            digest, grant_key
        FROM fenced, fresh
        RETURNING id
    )
    SELECT fenced.*, ARRAY(SELECT id FROM opened) AS opened,
        (SELECT count(*) FROM asked) > (SELECT count(*) FROM opened) + (SELECT count(*) FROM taken_over) AS over
    FROM fenced
    """
# Each question that is still open gets one event.
_TELL = f"""
    WITH opened AS (
        SELECT *, row_number() OVER (ORDER BY id) AS nth FROM wait
        WHERE id = ANY(%(opened)s) AND resolved_at IS NULL AND kind IN ('approval', 'authorization')
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
# A park that is on its way was asked for without this news.
_NEWS = "UPDATE run SET inbox = inbox + 1 WHERE id = %(run)s RETURNING id"
_ASKS_PEOPLE = frozenset({"approval", "authorization"})
_ASKS_NOBODY = frozenset({"timer", "user"})


@dataclass(frozen=True, slots=True)
class Opened:
    """Waits that were opened: their ids, the locked run, and whether some of those asked for are `over` already.

    `events` are those of what followed in the same transaction.
    """

    id: UUID
    tenant: str
    epoch: int
    status: str
    pause_kind: str | None
    queue: str
    opened: Sequence[UUID]
    over: bool
    events: Sequence[StoredEvent] = ()

    @property
    def run_state(self) -> RunState:
        """The run, as `waits.lock_run` would return it."""
        return RunState(self.id, self.tenant, self.status, self.pause_kind, self.epoch, queue=self.queue)


def opening(
    fence: Fence, n: int, new: Sequence[NewWait], limits: Limits, in_flight: str | None, *, due: bool = False
) -> "Statement[Opened] | Opening":
    """Open waits under the fence of an activation: one statement where nothing but time or a user ends them.

    With `due`, waits whose time is over are ended too, which is otherwise the scheduler's. Returns no row if the fence has
    passed, or if the run has reached the limit of what it records.
    """
    params = {
        "run": fence.run, "epoch": fence.epoch, "worker": fence.worker, "n": n, "in_flight": in_flight,
        "max_bytes": limits.recorded_bytes,
        "waits": json.dumps([{**asdict(wait), "id": str(wait.id)} for wait in new], ensure_ascii=False),
    }  # fmt: skip
    statement = Statement(_OPEN, params, Opened)
    alone = not due and all(wait.kind in _ASKS_NOBODY for wait in new)
    return statement if alone else Opening(statement, new, due)


@dataclass(frozen=True, slots=True)
class Opening:
    """Waits that are opened, and in the same transaction what follows: signals and grants that were there end some of them
    immediately, and people are asked for the rest.
    """

    statement: Statement[Opened]
    waits: Sequence[NewWait]
    due: bool = False

    def one(self, connection: psycopg.Connection[Any]) -> Opened | None:
        """Execute it in the caller's transaction."""
        opened = self.statement.one(connection)
        if opened is None:
            return None
        over = self._over(connection, run_state=opened.run_state)
        if over:
            Statement(_NEWS, {"run": opened.id}, UUID).one(connection)
        events = self._asked(connection, opened)
        # A grant may also end a wait that people had been asked for before.
        known = [wait for wait in over if wait.id not in opened.opened]
        events += wake_run(connection, opened.run_state, known)
        return replace(opened, events=events, over=bool(over) or opened.over)

    def _over(self, connection: psycopg.Connection[Any], run_state: RunState) -> list[ResolvedWait]:
        over = waits.deliver(run_state.id).all(connection) if self._has("signal", "child") else []
        keys = sorted({wait.grant_key for wait in self.waits if wait.grant_key})
        for key in keys:  # behind the lock of the run's row, once the waits are open: see `models.authorization.grants`
            grants.lock(key).one(connection)
        over += waits.authorize(run_state.id).all(connection) if keys else []
        return over + (waits.resolve_due(run_state.id).all(connection) if self.due else [])

    def _asked(self, connection: psycopg.Connection[Any], opened: Opened) -> list[StoredEvent]:
        if not opened.opened or not self._has(*_ASKS_PEOPLE):
            return []
        return Statement(_TELL, {"run": opened.id, "opened": opened.opened}, StoredEvent).all(connection)

    def _has(self, *kinds: str) -> bool:
        return any(wait.kind in kinds for wait in self.waits)
