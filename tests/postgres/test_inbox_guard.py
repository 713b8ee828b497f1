"""No wake-up is lost between a park and a signal, in whatever order the two lock the run's row."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from models import moves
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.statement import Statement
from tests.postgres.duel import Connection, Waiting, duel, until_blocked
from tests.postgres.factory import Made, World

Connect = Callable[[], Connection]
VERBS = (Verb.REQUIRE_AUTHORIZATION, Verb.AWAIT_APPROVAL, Verb.PAUSE_BY_AGENT)


def _park(made: Made, verb: Verb, inbox: int = 0) -> Statement:
    waits = (NewWait("first", "signal"), NewWait("second", "signal", {"name": "note"}))
    return moves.park(
        verb, made.id, made.epoch, made.worker, inbox=inbox, active_ms=1, reason=Reason.WAITING, waits=waits
    )


def _knock(made: Made) -> Statement:
    """Lock the run, as every transaction that touches signals or waits does first."""
    return Statement("UPDATE run SET inbox = inbox + 1 WHERE id = %(run)s RETURNING inbox", {"run": made.id})


@pytest.mark.parametrize("verb", VERBS)
def test_a_signal_that_came_first_makes_the_park_look_again(world: World, connect: Connect, verb: Verb) -> None:
    made = world.run("executing")
    before = world.events(made.id)

    _, parked = duel(connect, _knock(made), _park(made, verb))

    assert parked == []
    assert (world.row(made.id)["status"], world.events(made.id)) == ("RUNNING", before)
    assert _park(made, verb, inbox=1).one(world.connection) is not None


@pytest.mark.parametrize("verb", VERBS)
def test_a_signal_that_came_second_finds_the_wait_of_the_park(world: World, connect: Connect, verb: Verb) -> None:
    """It waits for the run's row; the wait was committed with the park, so its later statement sees the wait."""
    made = world.run("executing")
    parking, signaling, watcher = connect(), connect(), connect()
    parking.execute("BEGIN")
    assert _park(made, verb).one(parking) is not None

    signaling.execute("BEGIN")
    knocking = Waiting(signaling, _knock(made).all)
    until_blocked(watcher, knocking.pid, parking.info.backend_pid)
    parking.execute("COMMIT")
    assert len(knocking.rows()) == 1
    open_waits = "SELECT key FROM wait WHERE run_id = %s AND resolved_at IS NULL ORDER BY key"
    assert signaling.execute(open_waits, [made.id]).fetchall() == [{"key": "first"}, {"key": "second"}]
    assert moves.resume(made.id, reason=Reason.WAIT_OVER).one(signaling) is not None
    signaling.execute("COMMIT")

    row = world.row(made.id)
    assert (row["status"], row["pending_waits"], row["inbox"], row["resumed"]) == ("RUNNING", 0, 1, True)
    assert row["ready_at"] is not None


@pytest.mark.parametrize("request_", ["pause", "cancel"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_request_that_came_first_makes_the_park_look_again(world: World, verb: Verb, request_: str) -> None:
    made = world.run("executing", control_request=request_)

    assert _park(made, verb).one(world.connection) is None


@pytest.mark.parametrize("verb", VERBS)
def test_a_parked_run_holds_nothing(world: World, verb: Verb) -> None:
    made = world.run("executing", activations=1)
    assert _park(made, verb).one(world.connection) is not None

    row = world.row(made.id)
    held = ("lease_worker", "ticket_at", "ready_at", "blocked_on", "blocked_until")
    assert {name: row[name] for name in held} == dict.fromkeys(held)
    assert (row["pending_waits"], row["epoch"]) == (2, made.epoch)
    waits = world.connection.execute("SELECT key, kind, request FROM wait WHERE run_id = %s ORDER BY key", [made.id])
    assert waits.fetchall() == [
        {"key": "first", "kind": "signal", "request": {}},
        {"key": "second", "kind": "signal", "request": {"name": "note"}},
    ]


def test_a_resumed_run_waits_for_a_slot_behind_no_gate_and_is_promoted_with_a_new_epoch(world: World) -> None:
    made = world.run("paused for approval", pending_waits=1, fair_tag=3.5)
    assert moves.resume(made.id, reason=Reason.APPROVED).one(world.connection) is not None

    row = world.row(made.id)
    assert (row["status"], row["reason"], row["pending_waits"], row["fair_tag"]) == ("RUNNING", "approved", 0, 3.5)
    assert world.events(made.id)[-1]["status_was"] == "PAUSED"


@pytest.mark.parametrize("request_", ["pause", "cancel"])
def test_a_wait_that_is_over_does_not_wake_a_run_that_somebody_wants_paused(world: World, request_: str) -> None:
    made = world.run("paused for approval", control_request=request_)

    assert moves.resume(made.id, reason=Reason.APPROVED).one(world.connection) is None
