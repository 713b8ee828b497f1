"""One operation on many runs under way: finds the next of its runs, and acts on each in a transaction of its own.

The runs are found page by page, in the order of their ids, so that a page costs the same however many there are. Whether a run
is meant is asked again under its lock: one that was QUEUED when it was found may be RUNNING by now. A run that somebody decides
about at the moment is left behind and come back to; nobody is waited for.
"""

import time
from collections.abc import Callable, Sequence
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
from models.statement import Statement

PAGE = 500
MOST_BEHIND = 20  # then these come first

# By the tenant's list, or where a label is asked for by the list of what has it: both are in the order of ids. That of the
# tenant is compared as it is sorted: else the planner might read the runs of all tenants by their key.
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
# A run that has ended is only held: whoever tries it again by hand holds it as well, and other things before it.
_LOCK = "SELECT id FROM run WHERE id = %(run)s AND {fits} ORDER BY id FOR {lock} SKIP LOCKED"
_STILL = "SELECT id FROM run WHERE id = %(run)s AND {fits}"
_EXISTED = " AND created_at <= %(asked_at)s"


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of one run: to be told once it is committed."""

    to: str
    """`done`, `skipped`, `failed` or `busy`; `moved` when another leader has moved the operation on."""
    steered: CommandResult | None = None


class BulkOperation:
    """An operation as its row says, from where it has come to."""

    def __init__(self, row: StoredBulk, tell: Callable[[str, CommandResult], None], grace_ms: int) -> None:
        self._row, self._tell, self._grace_ms = row, tell, grace_ms
        self._action = Action(row.action)
        wanted = RunFilter.read(row.tenant, row.filter)
        fits, self._params = bulks.fits(self._action, wanted, one_by_one=True)
        self._params |= {"asked_at": row.created_at}
        fits = f"({fits}{_EXISTED})"
        self._page = (_OF_LABEL if wanted.labels else _OF_TENANT).format(fits=fits)
        self._lock = _LOCK.format(fits=fits, lock="SHARE" if self._action is Action.RETRY else "UPDATE")
        self._still = _STILL.format(fits=fits)

    def go_on(self, connection: Connection, row: StoredBulk, until: float) -> bool:
        """Look at a page at least and act on a run of it, and on more until this moment; False when nothing could be done."""
        self._row, began = row, row.version
        for run in row.behind:
            left = [one for one in self._row.behind if one != run]
            if not self._try(connection, run, self._row.reached, left):
                return True
        while len(self._row.behind) < MOST_BEHIND and self._next_page(connection, until):
            pass
        return bool(self._row.version > began)

    def _next_page(self, connection: Connection, until: float) -> bool:
        """Act on the runs of a page; False when there is nothing more to be done in this turn."""
        at = {**self._params, "reached": self._row.reached, "until": self._row.until}
        page = Statement(self._page, at).all(connection)
        for run in (found["id"] for found in page if found["fits"]):
            full = len(self._row.behind) >= MOST_BEHIND
            if full or not self._try(connection, run, run, self._row.behind) or time.monotonic() > until:
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

    def _try(self, connection: Connection, run: UUID, reached: UUID, behind: Sequence[UUID]) -> bool:
        """Act on one run and move on, both or neither; False when somebody else has moved on."""
        progress = Progress(reached, behind)
        try:
            came = self._act(connection, run, progress)
        except Exception as error:
            if connection.closed or isinstance(error, psycopg.OperationalError):
                raise
            fact("bulk.run_failed", level="exception", bulk=self._row.id, action=self._action, run=run)
            came = StepResult("failed")
        if came.to == "done" and came.steered:
            self._tell(self._row.tenant, came.steered)
            return True
        if came.to == "busy":
            return run in self._row.behind or self._move_on(connection, replace(progress, behind=[*behind, run]))
        counted = replace(progress, skipped=int(came.to == "skipped"), failed=int(came.to == "failed"))
        return came.to != "moved" and self._move_on(connection, counted)

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
