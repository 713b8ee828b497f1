"""A run that takes over from another: with its agent, tenant, user, labels and limits, and an input of its own.

A restart ends the run and begins its successor in one transaction: there is never none of them, and never two. What was sent to
the run and not consumed is handed on with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from models import moves
from models.ids import new_id
from models.runs.children import RESERVED
from models.runs.enqueue import NewRun, enqueue
from models.runs.recording import Fence
from models.statement import Statement
from models.stored_event import Written

# Read after the row is locked, or of a run that has ended and never changes.
_WHOLE = """
    SELECT run.*, payload.input::text AS input, payload.error,
        ARRAY(SELECT name FROM label WHERE run_id = run.id AND kind = 'tag' ORDER BY name) AS tags,
        (SELECT json_object_agg(name, value) FROM label WHERE run_id = run.id AND kind = 'metadata') AS metadata
    FROM run JOIN payload ON payload.run_id = run.id WHERE run.id = %(run)s
    """
_HAND_ON = f"""
    UPDATE signal SET run_id = %(successor)s
    WHERE run_id = %(run)s AND consumed_by IS NULL AND NOT starts_with(name, '{RESERVED}') RETURNING id
    """


@dataclass(frozen=True, slots=True)
class WholeRun:
    """A run with all that a successor may take over. `input` is JSON text, `error` decoded JSON."""

    id: UUID
    tenant: str
    status: str
    agent: str
    queue: str
    priority: int
    timeout_ms: int | None
    user_id: str | None
    approval_strategy: str
    window_name: str
    concurrency_key: str | None
    created_by: UUID | None
    parent_run_id: UUID | None
    parent_key: str | None
    input: str
    error: Any
    tags: Sequence[str]
    metadata: Mapping[str, str] | None


def whole(run: UUID) -> Statement[WholeRun]:
    """Read all of a run that a successor may take over."""
    return Statement(_WHOLE, {"run": run}, WholeRun)


def successor(before: WholeRun, **own: Any) -> NewRun:
    """Describe a run like this one, except for what is its `own`.

    It waits for a place of the same concurrency key, whatever the other did about conflicts, and has no time to begin or expire.
    """
    return NewRun(
        **{
            "agent": before.agent,
            "queue": before.queue,
            "input": before.input,
            "priority": before.priority,
            "timeout_ms": before.timeout_ms,
            "user_id": before.user_id,
            "metadata": before.metadata or {},
            "tags": before.tags,
            "approval_strategy": before.approval_strategy,
            "window": before.window_name or None,
            "concurrency_key": before.concurrency_key,
            "created_by": before.created_by,
            **own,
        }
    )


@dataclass(frozen=True, slots=True)
class Restart:
    """End a run as SUCCESS and begin its successor with this input (JSON text), under the fence of its activation.

    The successor of a child is a child of the same parent, which hears only of the last one. The approval to start is not
    asked for again.
    """

    fence: Fence
    n: int
    input: str
    active_ms: int
    successor_id: UUID = field(default_factory=new_id)

    def one(self, connection: psycopg.Connection[Any]) -> Written | None:
        """Execute it in the caller's transaction. Returns None if the fence has passed, or if the run is to end or to pause.

        The events are the end of the run and the first one of its successor.
        """
        at = (self.fence.run, self.fence.epoch, self.fence.worker)
        end = moves.restart(*at, n=self.n, active_ms=self.active_ms, successor=self.successor_id).one(connection)
        if end is None:
            return None
        [before] = whole(self.fence.run).all(connection)
        began = "NONE" if before.approval_strategy == "ON_START" else before.approval_strategy
        successor_run = successor(
            before,
            id=self.successor_id,
            input=self.input,
            approval_strategy=began,
            parent_run_id=before.parent_run_id,
            parent_key=before.parent_key,
        )
        first = enqueue(connection, before.tenant, [successor_run])
        Statement(_HAND_ON, {"run": self.fence.run, "successor": self.successor_id}).all(connection)
        return Written([end, *first])
