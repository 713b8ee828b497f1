"""Runs and their children, as their ends leave them, and a leader that folds the effects on their way between them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from models import moves
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.runs import children
from models.runs.effects import Target
from models.runtime.database import Row
from models.waiting.park import Park
from scheduler.duties.outbox import Outbox
from scheduler.duty import Done
from tests.postgres.duel import Connection
from tests.postgres.factory import Made, World
from tests.postgres.stepping import do, together


def duty() -> Outbox:
    """Return the folding duty of a new leader."""
    return Outbox(1.0)


def turn(connection: Connection) -> Done:
    """Fold as a new leader does, until nothing is left that could be folded."""
    folding, results = duty(), []
    for _ in range(20):
        folding._next = 0.0
        results.append(do(folding, connection))
    return together(results)


def waits_for(world: World, *keys: str, wake: str = "all") -> Made:
    """Create a run that is parked until children with these keys have ended."""
    made = world.run("executing", children=len(keys))
    opened = [NewWait(f"wait:child#{key}#1", "child", {"signal": f"{children.CHILD}{key}"}) for key in keys]
    assert park(made, opened, wake).one(world.connection)
    return made


def park(made: Made, opened: list[NewWait], wake: str = "all", inbox: int = 0) -> Park:
    """Return the park of an executing run for these waits."""
    at = (made.id, made.epoch, made.worker)
    return Park(
        moves.park(Verb.PAUSE_BY_AGENT, *at, inbox=inbox, active_ms=1, reason=Reason.WAITING, waits=opened, wake=wake)
    )


def child_of(world: World, parent: Made, key: str, situation: str = "executing", **columns: Any) -> Made:
    """Create a child of this run."""
    return world.run(situation, parent_run_id=parent.id, parent_key=key, **columns)


def succeed(connection: Connection, made: Made, result: str = '"done"') -> None:
    """End a run successfully."""
    assert moves.succeed(made.id, made.epoch, made.worker, n=1, result=result, active_ms=1).one(connection)


def effects_on(world: World, target: UUID) -> list[Row]:
    """Read the effects that are on their way to a run."""
    return world.connection.execute("SELECT * FROM outbox WHERE target_run_id = %s", [target]).fetchall()


def target(world: World, run: UUID) -> Target:
    """Read a run as effects on it find it."""
    row = world.row(run)
    return Target(run, row["tenant"], row["finished_at"])


def verbs(world: World, run: UUID) -> list[str]:
    """Return the moves of a run."""
    return [event["verb"] for event in world.events(run) if event["verb"]]
