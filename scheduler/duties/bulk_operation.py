"""One bulk operation under way: finds the next of its runs, and acts on each in a transaction of its own.

It finds the runs page by page in the order of their ids, so a page costs the same however many runs there are. It checks the
filter again under the run's lock: a run that was QUEUED when it was found may be RUNNING by now. Locked runs are skipped and
retried later; the operation never waits for a lock.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg

from models.operations import bulk as bulks
from models.operations import commands
from models.operations.bulk import Action, Progress, StoredBulk
from models.operations.commands import CommandResult
from models.runs.run_filter import RunFilter
from models.runtime.database import Connection
from models.runtime.facts import fact
from models.sql.locking import locked_one
from models.statement import Statement

PAGE = 500
MOST_BEHIND = 20  # skipped runs; with more, these are retried before the next page

# Read by the tenant's list or, where the filter has a label, by the label's list: both are in the order of ids. The condition
# compares (tenant, id) as the list sorts it; otherwise the planner may read the runs of all tenants by the primary key.
_OF_TENANT = f"""
    SELECT id, coalesce({{fits}}, FALSE) AS fits FROM run
    WHERE (tenant, id) > (%(tenant)s, %(reached)s) AND (tenant, id) <= (%(tenant)s, %(until)s) ORDER BY tenant, id LIMIT {PAGE}
    """
_OF_LABEL = f"""
    SELECT run.id, coalesce({{fits}}, FALSE) AS fits FROM (
        SELECT run_id FROM label WHERE tenant = %(tenant)s AND kind = %(kind_0)s AND name = %(name_0)s AND value = %(value_0)s
            AND run_id > %(reached)s AND run_id <= %(until)s ORDER BY run_id LIMIT {PAGE}
    ) AS labelled JOIN run ON run.id = labelled.run_id ORDER BY run.id
    """
_STILL = "SELECT id FROM run WHERE id = %(run)s AND {fits}"
_EXISTED = " AND created_at <= %(asked_at)s"


@dataclass(frozen=True, slots=True)
class StepResult:
    """Result of the action on one run, to be announced after its commit."""

    to: str
    """`done`, `skipped`, `failed` or `busy`; `moved` when another leader has moved the operation on."""
    steered: CommandResult | None = None


Acting = Generator[CommandResult, None, bool]
"""Yields the result of each run that was acted on, after its commit; returns whether there is more to do in this turn."""


class BulkOperation:
    """An operation as its row says, resumed at the position in its row."""

    def __init__(self, row: StoredBulk, grace_ms: int) -> None:
        self._row, self._grace_ms = row, grace_ms
        self.moved = False  # whether the last turn changed anything
        self._action = Action(row.action)
        wanted = RunFilter.read(row.tenant, row.filter)
        fits, self._params = bulks.fits(self._action, wanted, one_by_one=True)
        self._params |= {"asked_at": row.created_at}
        fits = f"({fits}{_EXISTED})"
        self._page = (_OF_LABEL if wanted.labels else _OF_TENANT).format(fits=fits)
        # A run that has ended is locked in share mode: a user's retry of it takes the same lock, after other locks.
        self._lock = locked_one("id", fits, mode="SHARE" if self._action is Action.RETRY else "UPDATE")
        self._still = _STILL.format(fits=fits)

    def resume(self, connection: Connection, row: StoredBulk, until: float) -> Iterator[CommandResult]:
        """Read a page at least and act on a run of it, and on more until this time. Yield each result after its commit."""
        self._row, self.moved = row, True
        for run in row.behind:
            left = [one for one in self._row.behind if one != run]
            if not (yield from self._try(connection, run, self._row.reached, left)):
                return
        while len(self._row.behind) < MOST_BEHIND and (yield from self._next_page(connection, until)):
            pass
        self.moved = self._row.version > row.version

    def _next_page(self, connection: Connection, until: float) -> Acting:
        """Act on the runs of a page."""
        at = {**self._params, "reached": self._row.reached, "until": self._row.until}
        page = Statement(self._page, at).all(connection)
        for run in (found["id"] for found in page if found["fits"]):
            full = len(self._row.behind) >= MOST_BEHIND
            if full or not (yield from self._try(connection, run, run, self._row.behind)):
                return False
            if time.monotonic() > until:
                return False
        last = len(page) < PAGE
        reached = self._row.until if last else page[-1]["id"]
        over = last and not self._row.behind
        if reached == self._row.reached and not over:
            return False
        if not self._move_on(connection, Progress(reached, self._row.behind, over=over)):
            return False
        if over:
            row, counts = self._row, ("matched", "done", "skipped", "failed")
            fact("bulk.finished", bulk=row.id, action=self._action, **{name: getattr(row, name) for name in counts})
        return not last and time.monotonic() < until

    def _try(self, connection: Connection, run: UUID, reached: UUID, behind: Sequence[UUID]) -> Acting:
        """Act on one run and move on, both or neither; return False if another leader has moved on."""
        progress = Progress(reached, behind)
        try:
            result = self._act(connection, run, progress)
        except Exception as error:
            if connection.closed or isinstance(error, psycopg.OperationalError):
                raise
            fact("bulk.run_failed", level="exception", bulk=self._row.id, action=self._action, run=run)
            result = StepResult("failed")
        if result.to == "done" and result.steered:
            yield result.steered
            return True
        if result.to == "busy":
            return run in self._row.behind or self._move_on(connection, replace(progress, behind=[*behind, run]))
        counted = replace(progress, skipped=int(result.to == "skipped"), failed=int(result.to == "failed"))
        return result.to != "moved" and self._move_on(connection, counted)

    def _act(self, connection: Connection, run: UUID, progress: Progress) -> StepResult:
        with connection.transaction():
            if Statement(self._lock, {**self._params, "run": run}).one(connection) is None:
                fits = Statement(self._still, {**self._params, "run": run}).one(connection)
                return StepResult("busy" if fits else "skipped")
            steered, to = self._steer(connection, run), "skipped"
            if steered and steered.did:
                to = "done" if self._move_on(connection, replace(progress, done=1)) else "moved"
            if to != "done":
                raise psycopg.Rollback
        return StepResult(to, steered)

    def _steer(self, connection: psycopg.Connection[Any], run: UUID) -> CommandResult | None:
        tenant, by = self._row.tenant, self._row.by
        match self._action:
            case Action.CANCEL:
                return commands.cancel(connection, run, tenant, by=by, comment=None, grace_ms=self._grace_ms)
            case Action.PAUSE:
                return commands.pause(connection, run, tenant, by=by, comment=None)
            case Action.RESUME:
                return commands.resume(connection, run, tenant, by=by)
            case Action.RETRY:
                return commands.retry(connection, run, tenant, created_by=self._row.created_by)

    def _move_on(self, connection: Connection, progress: Progress) -> bool:
        row = bulks.move_on(self._row.id, self._row.version, progress).one(connection)
        if row is not None:
            self._row = row
        return row is not None
