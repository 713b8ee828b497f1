"""Execution of a program to its end: undisturbed, or with deaths of its host."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from taxiway.frames import Frame, Kind

from .staging import Hung, Stage, Staged, carried
from .world import World

MOST_ACTIVATIONS = 400


@dataclass
class Snapshot:
    """The state right after a record or an effect; `seen` are the results of the code so far."""

    world: World
    seen: list[Any]
    what: str
    decides: bool = True
    """Whether all that was decided before is on record."""


@dataclass
class Execution:
    """One execution: its results, and the states on the way."""

    end: Frame = field(default_factory=dict)
    seen: list[Any] = field(default_factory=list)
    activations: int = 0
    snapshots: list[Snapshot] = field(default_factory=list)
    world: World | None = None

    @property
    def result(self) -> Any:
        """Return the result of the run, or its error without the traceback."""
        if self.end["frame"] == Kind.FINISH:
            return json.loads(self.end["value"])
        return {name: self.end["error"][name] for name in ("code", "type", "message")}


def execute(
    world: World,
    *,
    snapshots: bool = False,
    dies_after: Callable[[Frame], bool] = lambda frame: False,
    seen: list[Any] | None = None,
) -> Execution:
    """Execute a run to its end. Each activation must reach again what the one before it had `seen`."""
    done, seen = Execution(world=world), list(seen or [])
    while done.activations < MOST_ACTIVATIONS:
        done.activations += 1
        world.activation += 1
        stage = _activated(world, done if snapshots else None, dies_after)
        now = stage.trace
        come = min(len(seen), len(now)) if stage.staged.is_dead else len(seen)  # it may have died before it got so far
        assert now[:come] == seen[:come], _diverged(seen, now)
        seen = max(seen, now, key=len)
        end = world.records.end
        if stage.staged.is_dead:
            continue
        if end["frame"] == Kind.PARK:
            _until_woken(world, end)
            continue
        done.end, done.seen = end, seen
        return done
    raise Hung(f"the run has had {done.activations} activations")


def _activated(world: World, notes: Execution | None, dies_after: Callable[[Frame], bool]) -> Stage:
    def on_record(frame: Frame) -> None:
        if notes is not None:
            what = f"{frame['frame']} {frame.get('key', '')}"
            notes.snapshots.append(Snapshot(world.copy(), list(stage.trace), what, _decides(frame)))
        if not stage.staged.is_dead and dies_after(frame):
            stage.die()

    def on_event() -> None:
        if notes is not None:
            notes.snapshots.append(Snapshot(world.copy(), list(stage.trace), "effect"))

    stage = Stage(Staged(world, on_record), on_event)
    carried(stage)
    return stage


def _decides(frame: Frame) -> bool:
    """Return whether a record fixes the order: after a back-off or an event, a replay may meet other things first."""
    return not frame.get("retryInMs") and frame["frame"] != Kind.EVENT


def _until_woken(world: World, park: Frame) -> None:
    """Advance until a parked run is woken."""
    awaited = [item["key"] for item in park["waits"]]
    alarm = next((key for key in awaited if key.startswith("alarm@")), None)
    while left := [key for key in awaited if key in world.waits]:
        chosen, when = world.next((), left)
        if alarm is not None and (world.waits[alarm].due or 0.0) <= when:
            chosen, when = alarm, world.waits[alarm].due or 0.0
        assert chosen is not None
        world.now = max(world.now, when)
        world.settle(chosen)
        if park["wake"] == "any":
            return


def _diverged(before: list[Any], now: list[Any]) -> str:
    place = next(
        (n for n, (one, other) in enumerate(zip(before, now, strict=False)) if one != other), min(len(before), len(now))
    )
    return (
        f"a replay came to something else at {place}: {before[place : place + 3]} before, {now[place : place + 3]} now"
    )
