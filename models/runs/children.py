"""What runs and the runs that they started mean to each other: they are started with the record of it, a child's end reaches
its parent, a parent's cancel its children. The latter two are folded from the outbox, in the transaction that deletes the row,
so that each happens once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg

from models import control_requests, idle_ends
from models.lifecycle import Reason
from models.runs import recording
from models.runs.effects import EffectResult, OutboxRow, Target
from models.runs.enqueue import NewRun, enqueue
from models.runs.recording import Fence, Limits, StepRecord
from models.runtime.database import Row
from models.statement import Statement
from models.stored_event import StoredEvent, Written
from models.waiting import waits

RESERVED = "taxiway."
"""What the names of signals begin with that no user may send."""
CHILD = f"{RESERVED}child/"
CANCELED_AT_ONCE = 100

# `coalesce` keeps the planner on the run's key; see `models.moves`.
_EXPECT = """
    UPDATE run SET children = children + %(count)s
    WHERE id = %(run)s AND epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE)
        AND children + %(count)s <= %(most)s
    RETURNING tenant, user_id, priority, created_by, approval_strategy,
        ARRAY(SELECT name FROM label WHERE run_id = id AND kind = 'tag' ORDER BY name) AS tags
    """
# Whose child a run is never changes, so this may be read of other rows. A run that began anew counts once.
_LEVEL = """
    WITH RECURSIVE line AS (
        SELECT parent_run_id, 1 AS level FROM run WHERE id = %(run)s
        UNION ALL SELECT above.parent_run_id, level + 1 FROM line CROSS JOIN LATERAL (
            SELECT run.parent_run_id FROM run WHERE run.id = line.parent_run_id LIMIT 1  -- one by its key, never a join of all
        ) AS above WHERE level <= %(most)s
    )
    SELECT max(level) AS level FROM line HAVING max(level) <= %(most)s
    """
# A row of the outbox becomes the signal, with the same id: folded twice, it would still be one signal.
_KEEP_ENDS = f"""
    INSERT INTO signal (id, run_id, tenant, name, sender_id, payload)
    SELECT id, target_run_id, tenant, '{CHILD}' || (data ->> 'key'), data ->> 'run', data
    FROM outbox WHERE target_run_id = %(run)s AND id = ANY(%(rows)s)
    ON CONFLICT DO NOTHING RETURNING id
    """
# In words that no partial index has: a plan that is made while few runs are unfinished would read all of them later.
_UNFINISHED = "coalesce(finished_at, 'infinity') = 'infinity'"
# Locks the runs in the order of their ids; one that somebody is deciding about comes next time.
_TO_CANCEL = f"""
    SELECT id, tenant, lease_worker FROM run
    WHERE parent_run_id = %(run)s AND {_UNFINISHED} AND control_request IS DISTINCT FROM 'cancel'
    ORDER BY id LIMIT {CANCELED_AT_ONCE} FOR UPDATE SKIP LOCKED
    """
# A statement of its own, after the others: a child that was ending when they looked may have been continued meanwhile.
_ANY_LEFT = f"""
    SELECT id FROM run
    WHERE parent_run_id = %(run)s AND {_UNFINISHED} AND control_request IS DISTINCT FROM 'cancel' LIMIT 1
    """


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start children and record it as a step, whose value are their ids: both or neither, under the parent's fence.

    They inherit tenant, user, tags, and priority unless `own_priority`; and where people approve the parent's calls of tools,
    they approve those of its children too: nobody gets past them by starting somebody else.
    """

    fence: Fence
    n: int
    record: StepRecord
    children: Sequence[NewRun]
    limits: Limits
    most_children: int
    most_levels: int
    in_flight: str | None = None
    own_priority: bool = False

    def one(self, connection: psycopg.Connection[Any]) -> Written | None:
        """Execute it in the caller's transaction. No row: the fence is passed, or one of the run's limits is reached.

        The events are the step's, then the children's first ones.
        """
        at = {"run": self.fence.run, "epoch": self.fence.epoch, "worker": self.fence.worker}
        parent = Statement(_EXPECT, {**at, "count": len(self.children), "most": self.most_children}).one(connection)
        if parent is None:
            return None
        recorded = recording.step(self.fence, self.n, self.record, self.limits, self.in_flight)
        step = Statement(recorded.sql, recorded.params, StoredEvent).one(connection)
        level = Statement(_LEVEL, {"run": self.fence.run, "most": self.most_levels}).one(connection)
        if step is None or level is None:
            raise psycopg.Rollback  # the caller's transaction is rolled back, and that is its answer
        first = enqueue(connection, parent["tenant"], [self._born(child, parent) for child in self.children])
        return Written([step, *first])

    def _born(self, child: NewRun, parent: Row) -> NewRun:
        asks = parent["approval_strategy"] == "ON_TOOL_CALL"
        return replace(
            child, user_id=parent["user_id"], tags=parent["tags"], parent_run_id=self.fence.run, created_by=parent["created_by"],
            priority=child.priority if self.own_priority else parent["priority"],
            approval_strategy="ON_TOOL_CALL" if asks else "NONE",
        )  # fmt: skip


def hear(connection: psycopg.Connection[Any], parent: Target, rows: Sequence[OutboxRow]) -> EffectResult:
    """Tell a run that children of it have ended: it goes on if it waits for that, else it is kept until it does.

    `parent` is the locked run row. A parent that has ended itself hears nothing any more.
    """
    if parent.finished_at is not None:
        return EffectResult()
    run_state = waits.lock_run(parent.id, parent.tenant).one(connection)
    assert run_state is not None, "its row is locked"
    Statement(_KEEP_ENDS, {"run": parent.id, "rows": [row.id for row in rows]}).all(connection)
    over = waits.deliver(parent.id).all(connection)
    return EffectResult.of_waits(run_state, over, waits.wake(connection, run_state, over))


def cancel(
    connection: psycopg.Connection[Any], parent: Target, _: Sequence[OutboxRow], *, grace_ms: int
) -> EffectResult:
    """Cancel the children of a run that was canceled, some at a time; theirs follow by rows that their ends write.

    None is missed: children are inserted under the lock of their parent's row and under its fence, so that each of them was
    committed before the cancel, and with it before the row that is folded here; none can come after it.
    """
    events: list[StoredEvent] = []
    workers: list[UUID] = []
    for child in Statement(_TO_CANCEL, {"run": parent.id}).all(connection):
        whose = (child["id"], child["tenant"])
        if child["lease_worker"] is None:
            end = idle_ends.cancel_idle(connection, *whose, reason=Reason.BY_PARENT, by=None, comment=None)
            events += [end] if end else []
        elif control_requests.request_cancel(*whose, by=None, comment=None, grace_ms=grace_ms).one(connection):
            workers.append(child["lease_worker"])
    left = Statement(_ANY_LEFT, {"run": parent.id}).one(connection)
    return EffectResult(events, workers, done=left is None)
