"""Children of runs: a step starts them, their ends reach the parent, and the parent's cancel reaches them.

The parent starts its children in the transaction that records the step. Ends and cancels are rows of the outbox, and take effect
in the transaction that deletes the row, so each takes effect once.
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
from models.sql.fence import UNDER_FENCE
from models.sql.locking import locked_first
from models.statement import Statement
from models.stored_event import StoredEvent, Written
from models.waiting import waits
from models.waiting.wake import wake_run

RESERVED = "taxiway."
"""Prefix of the signal names that no user may send."""
CHILD = f"{RESERVED}child/"
CANCELED_AT_ONCE = 100

# Decides whether the run may start so many children more, and reads what they inherit.
_EXPECT = f"""
    UPDATE run SET children = children + %(count)s
    WHERE {UNDER_FENCE} AND children + %(count)s <= %(most)s
    RETURNING tenant, user_id, priority, created_by, approval_strategy,
        ARRAY(SELECT name FROM label WHERE run_id = id AND kind = 'tag' ORDER BY name) AS tags
    """
# Decides whether the run is too deep in its family. Its ancestors may be read without their locks: the parent of a run never
# changes. A run that restarted counts once.
_LEVEL = """
    WITH RECURSIVE ancestors AS (
        SELECT parent_run_id, 1 AS level FROM run WHERE id = %(run)s
        UNION ALL SELECT parent.parent_run_id, level + 1 FROM ancestors CROSS JOIN LATERAL (
            SELECT run.parent_run_id FROM run WHERE run.id = ancestors.parent_run_id LIMIT 1  -- by its key, never a join
        ) AS parent WHERE level <= %(most)s
    )
    SELECT max(level) AS level FROM ancestors HAVING max(level) <= %(most)s
    """
# Keeps the ends of children as signals. Each has the id of its row in the outbox: folded twice, it would still be one signal.
_KEEP_ENDS = f"""
    INSERT INTO signal (id, run_id, tenant, name, sender_id, payload)
    SELECT id, target_run_id, tenant, '{CHILD}' || (data ->> 'key'), data ->> 'run', data
    FROM outbox WHERE target_run_id = %(run)s AND id = ANY(%(rows)s)
    ON CONFLICT DO NOTHING RETURNING id
    """
# No partial index has this expression as its predicate: a plan made while few runs are unfinished would later read them all.
_UNFINISHED = "coalesce(finished_at, 'infinity') = 'infinity'"
# Locks the next children to cancel. A child that another transaction has locked is found again in the next turn.
_TO_CANCEL = locked_first(
    f"""SELECT id, tenant, lease_worker FROM run
    WHERE parent_run_id = %(run)s AND {_UNFINISHED} AND control_request IS DISTINCT FROM 'cancel'""",
    CANCELED_AT_ONCE,
)
# Finds out whether a child is left. A statement of its own, after the others: a child that was ending when they looked may have
# been continued since.
_ANY_LEFT = f"""
    SELECT id FROM run
    WHERE parent_run_id = %(run)s AND {_UNFINISHED} AND control_request IS DISTINCT FROM 'cancel' LIMIT 1
    """


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start children, and record a step whose value is their ids: both or neither, under the parent's fence.

    The children inherit tenant, user, tags, and (unless `own_priority`) priority. If people approve the parent's calls of tools,
    they also approve those of its children: an agent cannot evade the approval by a child.
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
        """Execute it in the caller's transaction. Returns None if the fence has passed or a limit of the run is reached.

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
            child,
            user_id=parent["user_id"],
            tags=parent["tags"],
            parent_run_id=self.fence.run,
            created_by=parent["created_by"],
            priority=child.priority if self.own_priority else parent["priority"],
            approval_strategy="ON_TOOL_CALL" if asks else "NONE",
        )


def hear(connection: psycopg.Connection[Any], parent: Target, rows: Sequence[OutboxRow]) -> EffectResult:
    """Deliver the ends of children to their parent: it resumes if it waits for them, otherwise the ends are kept until it does.

    `parent` is the locked run row. A parent that has ended itself gets nothing.
    """
    if parent.finished_at is not None:
        return EffectResult()
    run_state = waits.lock_run(parent.id, parent.tenant).one(connection)
    assert run_state is not None, "its row is locked"
    Statement(_KEEP_ENDS, {"run": parent.id, "rows": [row.id for row in rows]}).all(connection)
    over = waits.deliver(parent.id).all(connection)
    return EffectResult.of_waits(run_state, over, wake_run(connection, run_state, over))


def cancel(
    connection: psycopg.Connection[Any], parent: Target, _: Sequence[OutboxRow], *, grace_ms: int
) -> EffectResult:
    """Cancel children of a canceled run, CANCELED_AT_ONCE at a time. Their ends write the rows that cancel their own children.

    No child is missed: children are inserted under the lock of the parent's row and under its fence. So each child was committed
    before the cancel, and with it before the row that is folded here; none can follow.
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
