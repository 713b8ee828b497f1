"""A worker of the previous version: writes its rows, with its keys and without moments, by the functions of the law."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from taxiway.identity import arguments_digest

from models import moves
from models.fleet import workers
from models.ids import liveness_key, new_id
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.promotion import tickets
from models.runs import recording
from models.runs.children import CHILD, Spawn
from models.runs.enqueue import NewRun
from models.runs.recording import Fence, Limits, StepRecord
from models.waiting.park import Park
from models.waiting.questions import question

LIMITS = Limits(steps=10_000, recorded_bytes=1 << 26)
AN_HOUR = 3_600_000


class OlderWorker:
    """One registered worker; it executes nothing, but writes the rows of an execution."""

    def __init__(self, connection: psycopg.Connection[Any], agents: Sequence[str]) -> None:
        self.connection, self.agents = connection, list(agents)
        self.worker = new_id()
        self.n = 0
        workers.register(
            self.worker, name="older", host="here", pid=1, queue="default", slots=64,
            liveness_key=liveness_key(self.worker), lease_s=3600,
        ).one(connection)  # fmt: skip
        for name in agents:
            workers.know_agent(
                name, queue="default", version="1", description=None, schema='{"type": "object"}', timeout_ms=None
            ).one(connection)
        workers.serve(self.worker, self.agents).one(connection)
        workers.renew(self.worker, lease_s=3600, consuming_ago_s=0.0, draining=False).all(connection)

    def take(self, run: UUID) -> Fence:
        """Promote and claim a run; the agents' digests are as short as in that version."""
        ticket = tickets.promote([run]).one(self.connection)
        assert ticket is not None
        versions = json.dumps(dict.fromkeys(self.agents, "9f86d081884c7d65"))
        claimed = moves.claim(run, ticket.epoch, self.worker, label="older", versions=versions, served=self.agents).one(
            self.connection
        )
        assert claimed is not None
        self.n = 0
        return Fence(run, ticket.epoch, self.worker)

    def step(self, fence: Fence, name: str, *args: Any, nth: int = 1, value: Any = None, failed: bool = False) -> str:
        """Record a step (or a failed attempt before another one) with these arguments, and return its key."""
        self.n += 1
        digest = arguments_digest(args, {})
        key = f"{name}#{digest}#{nth}"
        error = json.dumps({"type": "ValueError", "message": "not yet", "code": "step_error"}) if failed else None
        status, text = ("retrying", None) if failed else ("succeeded", json.dumps(value))
        record = StepRecord(key, name, digest, nth, status, 1, 5, text, error)
        row = recording.step(fence, self.n, record, LIMITS, None).one(self.connection)
        assert row is not None
        return key

    def start(self, fence: Fence, agent: str, *inputs: dict[str, Any]) -> list[NewWait]:
        """Start a child for each input, as `map` records it, and return the waits for their ends."""
        self.n += 1
        digest = arguments_digest(([*inputs],), {})
        key = f"spawn:{agent}#{digest}#1"
        born = [
            NewRun(agent, "default", json.dumps(one), parent_key=f"{key}/{place}") for place, one in enumerate(inputs)
        ]
        ids = json.dumps([str(child.id) for child in born])
        record = StepRecord(key, f"spawn:{agent}", digest, 1, "succeeded", 1, 0, ids)
        with self.connection.transaction():
            assert Spawn(fence, self.n, record, born, LIMITS, 100, 10).one(self.connection)
        return [
            NewWait(f"wait:child#{child.parent_key}#1", "child", {"signal": f"{CHILD}{child.parent_key}"})
            for child in born
        ]

    def park(self, fence: Fence, *waits: NewWait, wake: str = "any") -> None:
        """Park the run for these waits."""
        [row] = self.connection.execute("SELECT inbox FROM run WHERE id = %s", [fence.run]).fetchall()
        verb = Verb.AWAIT_APPROVAL if any(wait.kind == "approval" for wait in waits) else Verb.PAUSE_BY_AGENT
        move = moves.park(
            verb, fence.run, fence.epoch, fence.worker, inbox=row["inbox"], active_ms=1, reason=Reason.WAITING,
            waits=waits, wake=wake,
        )  # fmt: skip
        with self.connection.transaction():
            assert Park(move, waits).one(self.connection)

    def hand_back(self, fence: Fence) -> None:
        """Leave the run to another worker."""
        at = (fence.run, fence.epoch, fence.worker)
        assert moves.release(*at, verb=Verb.HAND_BACK, reason=Reason.DRAINED).one(self.connection)

    def leave(self) -> None:
        """Offer nothing from now on."""
        assert workers.leave(self.worker).one(self.connection)


def signal_wait(name: str, nth: int = 1) -> NewWait:
    return NewWait(f"wait:signal#{name}#{nth}", "signal", {"signal": name}, AN_HOUR, "timeout")


def timer_wait(key: str, due_ms: int) -> NewWait:
    return NewWait(key, "timer", {}, due_ms, "elapsed")


def tool_wait(name: str, *args: Any) -> NewWait:
    """Return the wait that asks whether a tool may be called with these arguments."""
    key = f"{name}#{arguments_digest(args, {})}#1"
    shown = {
        "prompt": f"Call {name}?",
        "details": {"function": name},
        "step": {"key": key, "name": name},
        "onDeny": "raise",
    }
    return question(f"tool:{key}", shown, AN_HOUR, "denied")


def approval_wait(about: str, prompt: str) -> NewWait:
    shown = {"prompt": prompt, "details": None, "choices": None, "approvers": None, "step": None, "onDeny": "return"}
    return question(f"wait:approval#{about}#1", shown, AN_HOUR, "denied")
