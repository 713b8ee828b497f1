"""Runs in the situations in which people, the clock and a worker may meet, and the invariants after any of their acts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from models import control_requests, moves
from models.ids import new_id
from models.lifecycle import MOVES, Reason, Verb
from models.moves import NewWait
from tests.postgres.factory import World
from tests.postgres.run_actions import WINDOWS, Scene, approval, close, open_by_park, open_while_executing, signal, word

ENDED = ("SUCCESS", "FAILED", "CANCELED")
CONTROLS = {"canceled", "requested", "paused", "recorded", "resumed", "taken back"}


def _executing(world: World, situation: str = "executing") -> Scene:
    question = approval()
    return Scene(world.run(situation, worker=new_id()), question, (question,))


def _parked(world: World, opens: Sequence[NewWait], wake: str = "all", *, to_pause: bool = False) -> Scene:
    scene = Scene(world.run("executing", worker=new_id()), opens[0], tuple(opens), wake)
    open_by_park(world.connection, scene)
    if to_pause:
        assert control_requests.request_pause(scene.run, by="pat", comment=None).one(world.connection)
    return scene


def _asking(world: World) -> Scene:
    """Create an executing run whose agent awaits an answer and a word, opened in this activation."""
    question = approval()
    scene = Scene(world.run("executing", worker=new_id()), question, (question, word()), "any")
    open_while_executing(world.connection, scene)
    return scene


def _stopped(world: World) -> Scene:
    """Create a run that a message woke, with its question still open, and that a user paused then."""
    scene = _parked(world, (approval(on_deny="return"), word()), "any")
    assert signal(scene)(world.connection) == "received"
    assert moves.pause_idle(scene.run, by="pat").one(world.connection)
    return scene


def _gated(world: World, *, closed: bool) -> Scene:
    """Create a run that executes while its window is open, or is parked at the edge of a step because it closed."""
    worker, question = new_id(), approval()
    made = world.run("executing", worker=worker, window_name=f"window of {worker}")
    scene = Scene(made, question, (question,))
    if closed:
        assert close(scene)(world.connection) == "closed"
        assert WINDOWS["edge"](scene)(world.connection) == "parked:window_closed"
    return scene


GATED: dict[str, Callable[[World], Scene]] = {
    "open": lambda world: _gated(world, closed=False),
    "closed": lambda world: _gated(world, closed=True),
}
SITUATIONS: dict[str, Callable[[World], Scene]] = {
    "executing": _executing,
    "asking": _asking,
    "pausing": lambda world: _executing(world, "pausing"),
    "ready": lambda world: _executing(world, "ready"),
    "asked": lambda world: _parked(world, (approval(),)),
    "asked, to pause": lambda world: _parked(world, (approval(),), to_pause=True),
    "any of two": lambda world: _parked(world, (approval(on_deny="return"), word()), "any"),
    "both of two": lambda world: _parked(world, (approval(on_deny="return"), word())),
    "stopped": _stopped,
}


def is_legal(world: World, scene: Scene, said: Sequence[str]) -> None:
    """Check the law's promises for every run, after acts that returned these words, in the order of their commits."""
    assert "dropped:undecided" not in said, "an activation that ends lets go of its run"
    row, events = world.row(scene.run), world.events(scene.run)
    waits = world.connection.execute("SELECT * FROM wait WHERE run_id = %s", [scene.run]).fetchall()
    _every_change_has_one_event(row, events)
    _each_wait_has_one_outcome(scene, waits, events, said)
    _nothing_is_held_that_should_not_be(row)
    sql = "SELECT 1 FROM signal WHERE run_id = %s AND consumed_by IS NULL"
    kept = bool(world.connection.execute(sql, [scene.run]).fetchall())
    _no_wake_up_is_lost(row, waits, kept=kept, opened=scene.opened)
    _no_request_is_forgotten(row, events, [one for one in said if one in CONTROLS])


def _every_change_has_one_event(row: dict[str, Any], events: Sequence[dict[str, Any]]) -> None:
    assert [event["seq"] for event in events] == list(range(1, row["seq"] + 1))
    changes = [event for event in events if event["verb"]]
    for before, after in pairwise(changes):
        if after["status_was"] is None:
            continue  # made by the factory
        assert after["status_was"] == before["status"] or before["status_was"] is None
        move = MOVES[Verb(after["verb"])]
        assert after["status"] == move.target.status
        assert after["status_was"] in {source.status for source in move.sources}
        if (before["verb"], after["verb"]) == (Verb.PAUSE_BY_USER, Verb.RESUME):
            assert after["reason"] == Reason.BY_USER, "only a user ends what a user began"
    assert changes[-1]["status"] == row["status"] or changes[-1]["status_was"] is None
    ends = [event for event in events if event["type"] == "end" and event["status_was"]]
    assert len(ends) == int(row["status"] in ENDED)
    assert not ends or ends[0]["seq"] == row["seq"], "nothing is told behind the end"


def _each_wait_has_one_outcome(
    scene: Scene, waits: Sequence[dict[str, Any]], events: Sequence[dict[str, Any]], said: Sequence[str]
) -> None:
    decided = [one for one in said if one in ("approved", "denied", "expired")]
    told = [event for event in events if event["type"] == "run_action"]
    assert len(decided) == len(told) <= 1
    for wait in waits:
        if wait["id"] == scene.question.id and decided:
            assert wait["outcome"] == {"expired": "denied"}.get(decided[0], decided[0])
            assert told[0]["data"]["waitId"] == str(wait["id"])


def _nothing_is_held_that_should_not_be(row: dict[str, Any]) -> None:
    if row["status"] in ("PAUSED", "AUTH_REQUIRED", *ENDED):
        held = ("lease_worker", "ticket_at", "ready_at", "blocked_on", "blocked_until")
        assert {name: row[name] for name in held} == dict.fromkeys(held)
    else:
        assert (row["ready_at"] is None) == (row["lease_worker"] is not None)


def _no_wake_up_is_lost(row: dict[str, Any], waits: Sequence[dict[str, Any]], *, kept: bool, opened: bool) -> None:
    """Check that a run is parked on open waits only, and until they have ended; an ended run waits for nothing.

    An executing run awaits what its agent has opened; it keeps no message that is awaited.
    """
    awaited = [wait for wait in waits if wait["epoch"] == row["epoch"]]
    left = [wait for wait in awaited if wait["outcome"] is None]
    if row["status"] in ENDED:
        assert all(wait["outcome"] for wait in waits)
    if row["status"] == "AUTH_REQUIRED" or row["pause_kind"] in ("approval", "agent"):
        assert left
        assert row["pending_waits"] == (len(left) if left[0]["wake"] == "all" else 1)
        assert left[0]["wake"] == "all" or len(left) == len(awaited)
    elif row["lease_worker"] is not None:
        assert row["pending_waits"] == 0
        assert not kept or not [wait for wait in left if wait["kind"] == "signal"]
    elif row["status"] not in ENDED:
        assert row["pending_waits"] == 0
        # A wait that was opened while the run executed stays open between two activations: the next one awaits it again.
        assert opened or not left or (left[0]["wake"] == "any" and len(left) < len(awaited))


def _no_request_is_forgotten(row: dict[str, Any], events: Sequence[dict[str, Any]], asked: Sequence[str]) -> None:
    status, request = row["status"], row["control_request"]
    if row["pause_kind"] == "user" or (status == "RUNNING" and row["lease_worker"] is None):
        assert request is None
    if {"canceled", "requested"} & set(asked):
        came_too_late = status in ("SUCCESS", "FAILED") and events[-1]["data"].get("cancelTooLate")
        pending = row["lease_worker"] is not None and request == "cancel"
        assert status == "CANCELED" or came_too_late or pending
    elif asked and status not in ENDED:
        wanted = asked[-1] in ("paused", "recorded")
        assert wanted == (row["pause_kind"] == "user" or request == "pause")
