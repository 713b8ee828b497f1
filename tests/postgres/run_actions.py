"""Acts on a run, each as in the product: people by the API, the clock, and the worker that executes it.

An act is one or more transactions on a connection, and returns a word for its result. An act without a decision rolls back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, TypeVar
from uuid import UUID

from executor.activation.finish import record
from executor.activation.outcome import HandedBack, HostLost, Outcome, Parked, Paused, Succeeded, parked
from models import control_requests, moves
from models.lifecycle import TERMINAL, Reason
from models.moves import NewWait
from models.operations import commands
from models.operations.commands import CommandResult
from models.promotion import tickets
from models.runs.recording import Fence
from models.statement import Statement
from models.stored_event import StoredEvent, Written
from models.waiting import waits
from models.waiting.park import Park
from models.waiting.run_state import RunState
from models.waiting.wake import wake_run
from tests.postgres.factory import AGENT, TENANT, Made
from tests.postgres.lanes import Act, Connection, Stopping
from tests.postgres.opening import open_waits
from tests.rows import claim

T = TypeVar("T")
BEGIN, COMMIT, ROLLBACK = "BEGIN", "COMMIT", "ROLLBACK"


def approval(key: str = "ask", on_deny: str = "cancel") -> NewWait:
    return NewWait(key, "approval", {"prompt": f"{key}?", "onDeny": on_deny}, 3_600_000, "denied", "nonce", "digest")


def word(key: str = "word", name: str = "word") -> NewWait:
    return NewWait(key, "signal", {"signal": name}, 7_200_000, "timeout")


@dataclass
class Scene:
    """A run, the question that can be answered, and the waits of its activation."""

    made: Made
    question: NewWait
    opens: tuple[NewWait, ...] = ()
    wake: str = "all"
    inbox: int = 0
    opened: bool = False
    """Whether the activation has opened its waits while it executes."""

    @property
    def run(self) -> UUID:
        return self.made.id

    @property
    def window(self) -> str:
        """Return the name of the window that gates this run only, if one does."""
        return f"window of {self.made.worker}"

    @property
    def fence(self) -> Fence:
        return Fence(self.made.id, self.made.epoch, self.made.worker)


def transaction(connection: Connection, decide: Callable[[], str]) -> str:
    """Commit the decision and return its word. A word that begins with "no" means no decision, and is rolled back."""
    connection.execute(BEGIN)
    try:
        said = decide()
    except BaseException:
        connection.execute(ROLLBACK)
        raise
    if isinstance(connection, Stopping):
        connection.decided = said
    connection.execute(ROLLBACK if said.startswith("no") else COMMIT)
    return said


def _knocked(connection: Connection, scene: Scene, decide: Callable[[RunState], str]) -> str:
    def behind_the_knock() -> str:
        run_state = waits.lock_run(scene.run, TENANT).one(connection)
        assert run_state is not None
        return "no: ended" if run_state.status in TERMINAL else decide(run_state)

    return transaction(connection, behind_the_knock)


# ------------------------------------------------------------------------------------------------------------- people
def answer(scene: Scene, outcome: str, by: str = "ann") -> Act:
    """Decide the scene's question, as the holder of its link."""

    def act(connection: Connection) -> str:
        def decide(run_state: RunState) -> str:
            over = waits.decide(scene.run, scene.question.id, outcome=outcome, by=by).all(connection)
            wake_run(connection, run_state, over)
            return outcome if over else "no: not open"

        return _knocked(connection, scene, decide)

    return act


def cancel(scene: Scene) -> Act:
    """Cancel immediately, or ask the worker, as the run allows (see `api.runs.cancel`)."""

    def attempt(connection: Connection) -> str:
        done = commands.cancel(connection, scene.run, TENANT, by="cas", comment=None, grace_ms=5000)
        return "canceled" if done.events else "requested" if done.asked else "no row"

    def act(connection: Connection) -> str:
        for _ in range(10):
            said = transaction(connection, lambda: attempt(connection))
            if said != "no row":
                return said
            row = connection.execute("SELECT status FROM run WHERE id = %s", [scene.run]).fetchone()
            assert row is not None
            if row["status"] in TERMINAL:
                return "no: ended"
        raise AssertionError("the run changes hands too quickly")

    return act


def pause(scene: Scene) -> Act:
    def act(connection: Connection) -> str:
        def decide() -> str:
            done = commands.pause(connection, scene.run, TENANT, by="pam", comment="later")
            return "paused" if _found(done).events else "recorded" if _found(done).asked else "no: asked before"

        return transaction(connection, decide)

    return act


def resume(scene: Scene) -> Act:
    def act(connection: Connection) -> str:
        def decide() -> str:
            done = commands.resume(connection, scene.run, TENANT, by="rob")
            return "resumed" if _found(done).events else "taken back" if _found(done).asked else "no: illegal move"

        return transaction(connection, decide)

    return act


def _found(done: CommandResult | None) -> CommandResult:
    assert done is not None, "no such run"
    return done


def signal(scene: Scene, name: str = "word") -> Act:
    def act(connection: Connection) -> str:
        def decide(run_state: RunState) -> str:
            assert waits.keep_signal(scene.run, name, payload="1", sender=None).one(connection)
            over = waits.deliver(scene.run).all(connection)
            wake_run(connection, run_state, over)
            return "received" if over else "kept"

        return _knocked(connection, scene, decide)

    return act


# ---------------------------------------------------------------------------------------------------------- the clock
def expire(scene: Scene) -> Act:
    """Record that the question has timed out (see `scheduler.duties.timers`)."""

    def act(connection: Connection) -> str:
        def decide(run_state: RunState) -> str:
            late = "UPDATE wait SET due_at = now() - interval '1 s' WHERE id = %s AND resolved_at IS NULL"
            connection.execute(late, [scene.question.id])
            over = waits.resolve_due(scene.run).all(connection)
            wake_run(connection, run_state, over)
            return "expired" if over else "no: not open"

        return _knocked(connection, scene, decide)

    return act


# ------------------------------------------------------------------------------------------------------- the scheduler
def close(scene: Scene) -> Act:
    """Close the run's window, which pauses what executes (see `scheduler.duties.window_enforcement`)."""

    def act(connection: Connection) -> str:
        def decide() -> str:
            asking = control_requests.ask_for_windows(windows=[scene.window], queues={}, agents={})
            return "closed" if asking.all(connection) else "no: nothing executes, or somebody decides about it"

        return transaction(connection, decide)

    return act


def reopen(scene: Scene) -> Act:
    """Open the run's window again."""

    def forget(connection: Connection) -> str:
        control_requests.take_windows_back(windows=[]).all(connection)
        return "forgotten"

    def act(connection: Connection) -> str:
        def decide(run_state: RunState) -> str:
            over = waits.resolve(scene.run, run_state.epoch, ("window",), outcome="opened", by=None).all(connection)
            wake_run(connection, run_state, over, reason=Reason.WINDOW_OPENED)
            return "opened" if over else "no: waits for no window"

        transaction(connection, lambda: forget(connection))
        return _knocked(connection, scene, decide)

    return act


# --------------------------------------------------------------------------------------------------------- the worker
class Office:
    """The parts of a worker that record an end, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.recorder = SimpleNamespace(write=self._write)
        self.bus = SimpleNamespace(wake_up=lambda *_: None)

    def read(self, statement: Statement[T]) -> list[T]:
        return statement.all(self._connection)

    def _write(self, run: UUID, statement: Any, **_: Any) -> StoredEvent | Written | None:
        rows: list[StoredEvent | Written | None] = []

        def decide() -> str:
            rows.append(statement.one(self._connection))
            how = "released" if getattr(statement, "sql", None) == moves._RELEASE else "ended"
            event = rows[0].events[0] if isinstance(rows[0], Written) else rows[0]
            return f"{how}: {event.verb}" if event else "no row"

        transaction(self._connection, decide)
        return rows[0]


def end(scene: Scene, outcome: Outcome) -> Act:
    """End the activation as its worker does; a newer request replaces the outcome (see `executor.activation.finish`)."""

    def act(connection: Connection) -> str:
        taken = claim(inbox=scene.inbox, agent=AGENT, queue="default")
        return record(Office(connection), scene.fence, taken, outcome, active_ms=1)  # type: ignore[arg-type]

    return act


def park(scene: Scene) -> Act:
    return end(scene, _wish(scene))


def _wish(scene: Scene) -> Parked:
    return parked(9, scene.opens or (scene.question,), scene.wake)


ACTS: dict[str, Callable[[Scene], Act]] = {
    "approve": lambda scene: answer(scene, "approved"),
    "deny": lambda scene: answer(scene, "denied"),
    "expire": expire,
    "cancel": cancel,
    "pause": pause,
    "resume": resume,
    "signal": signal,
    "finish": lambda scene: end(scene, Succeeded(9, json.dumps({"done": True}))),
    "drain": lambda scene: end(scene, HandedBack(Reason.DRAINED, None)),
    "crash": lambda scene: end(scene, HostLost(None, "gone")),
    "park": park,
}


WINDOWS: dict[str, Callable[[Scene], Act]] = {
    "close": close,
    "reopen": reopen,
    "edge": lambda scene: end(scene, Paused(scene.window)),
}


def open_by_park(connection: Connection, scene: Scene) -> None:
    """Park an executing run of a scene, so that its state is that of a park."""
    wish = _wish(scene)
    statement = moves.park(
        wish.verb, scene.run, scene.made.epoch, scene.made.worker, inbox=scene.inbox, active_ms=1, reason=wish.reason,
        waits=wish.waits, wake=wish.wake,
    )  # fmt: skip
    with connection.transaction():
        assert Park(statement, wish.waits).one(connection) is not None


def open_while_executing(connection: Connection, scene: Scene) -> None:
    """Open the waits of a scene in its activation while it executes."""
    with connection.transaction():
        assert open_waits(connection, scene.fence, scene.opens)
    scene.opened = True


def activate(connection: Connection, scene: Scene) -> None:
    """Activate a ready run of a scene on a worker; this is the scene's activation from now on."""
    ticket = tickets.promote([scene.run]).one(connection)
    assert ticket is not None
    made = replace(scene.made, epoch=ticket.epoch)
    taken = moves.claim(scene.run, made.epoch, made.worker, label="w", versions="{}", served=[AGENT]).one(connection)
    assert taken is not None
    scene.made, scene.inbox = made, taken.inbox
