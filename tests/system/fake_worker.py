"""A played worker: takes runs and writes what an activation would, by the functions of the law and without a process."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import psycopg

from models import moves
from models.fleet import workers
from models.ids import liveness_key, new_id
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.promotion import tickets
from models.runs import recording
from models.runs.opening import opening
from models.runs.recording import Fence, Limits, LogLine, StepRecord
from models.waiting.park import Park

SCHEMA = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "amount": {"type": "number"}},
    "required": ["order_id"],
    "additionalProperties": False,
}
INPUT = {"order_id": "A7", "amount": 12.5}
LIMITS = Limits(steps=10_000, recorded_bytes=1 << 26)


class FakeWorker:
    """One registered worker that serves `refund`, which checks its input, and `echo`, which takes anything."""

    def __init__(self, connection: psycopg.Connection[Any], queue: str = "default", slots: int = 4) -> None:
        self.connection = connection
        self.worker = new_id()
        self.n = 0
        workers.register(
            self.worker, name=f"w@{queue}", host="here", pid=1, queue=queue, slots=slots,
            liveness_key=liveness_key(self.worker), lease_s=3600,
        ).one(connection)  # fmt: skip
        for name, schema in (("refund", SCHEMA), ("echo", {"type": "object"})):
            workers.know_agent(
                name, queue=queue, version="1", description=None, schema=json.dumps(schema), timeout_ms=None
            ).one(connection)
        workers.serve(self.worker, ["refund", "echo"]).one(connection)
        workers.renew(self.worker, lease_s=3600, consuming_ago_s=0.0, draining=False).all(connection)

    def take(self, run: str) -> Fence:
        """Promote and claim a run."""
        ticket = tickets.promote([UUID(run)]).one(self.connection)
        assert ticket is not None
        claimed = moves.claim(
            UUID(run),
            ticket.epoch,
            self.worker,
            label="w",
            versions='{"refund": "1", "echo": "1"}',
            served=["refund", "echo"],
        ).one(self.connection)
        assert claimed is not None
        self.n = 0
        return Fence(UUID(run), ticket.epoch, self.worker)

    def step(
        self, fence: Fence, name: str, value: str = "1", status: str = "succeeded", error: str | None = None
    ) -> None:
        self.n += 1
        record = StepRecord(f"{name}##1", name, "", 1, status, 1, 5, None if status != "succeeded" else value, error)
        row = recording.step(fence, self.n, record, LIMITS, None).one(self.connection)
        assert row is not None
        assert row["seq"]

    def event(self, fence: Fence, data: str) -> None:
        self.n += 1
        assert recording.event(fence, self.n, "agent", data, None).one(self.connection)

    def log(self, fence: Fence, *messages: str) -> None:
        lines = [LogLine("agent", "info", message) for message in messages]
        assert recording.log(fence, lines).one(self.connection)

    def succeed(self, fence: Fence, result: str = '{"done":true}') -> None:
        row = moves.succeed(fence.run, fence.epoch, fence.worker, n=self.n + 1, result=result, active_ms=10).one(
            self.connection
        )
        assert row is not None

    def fail(self, fence: Fence) -> None:
        error = {"code": "step_error", "type": "ValueError", "message": "no", "step": "s", "attempts": 1}
        row = moves.fail(
            fence.run,
            fence.epoch,
            fence.worker,
            n=self.n + 1,
            reason="step_error",
            error=json.dumps(error),
            active_ms=10,
        ).one(self.connection)
        assert row is not None

    def ask(self, run: str, *waits: NewWait, wake: str = "all") -> list[UUID]:
        """Take a run and park it for these waits; return their ids."""
        fence = self.take(run)
        row = self.connection.execute("SELECT inbox FROM run WHERE id = %s", [fence.run]).fetchone()
        assert row is not None
        kinds = {wait.kind for wait in waits}
        verb = Verb.PAUSE_BY_AGENT
        if "authorization" in kinds:
            verb = Verb.REQUIRE_AUTHORIZATION
        elif "approval" in kinds:
            verb = Verb.AWAIT_APPROVAL
        move = moves.park(
            verb, fence.run, fence.epoch, fence.worker, inbox=row["inbox"], active_ms=1, reason=Reason.WAITING,
            waits=waits, wake=wake,
        )  # fmt: skip
        with self.connection.transaction():
            assert Park(move, waits).one(self.connection)
        return [wait.id for wait in waits]

    def open(self, fence: Fence, *waits: NewWait) -> None:
        """Open these waits of an executing run, as its agent would."""
        self.n += 1
        with self.connection.transaction():
            assert opening(fence, self.n, waits, LIMITS, None).one(self.connection)

    def cancel(self, fence: Fence) -> None:
        row = moves.cancel_executing(
            fence.run, fence.epoch, fence.worker, active_ms=1, in_flight=None, stopped="interrupted"
        ).one(self.connection)
        assert row is not None
