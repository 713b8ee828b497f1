"""A released run continues, unless a request or a limit decides otherwise: cancel beats failing beats pause."""

from __future__ import annotations

from typing import Any

import pytest

from models import moves
from models.lifecycle import Reason, Verb
from models.stored_event import StoredEvent
from tests.postgres.calls import ERROR, MOVES, TICKETS
from tests.postgres.factory import Made, World

RECOVERED = {"cause": "host_lost"}


def _release(world: World, made: Made, verb: Verb, reason: Reason) -> StoredEvent:
    statement = moves.release(made.id, made.epoch, made.worker, verb=verb, reason=reason, error=ERROR, stopped="died")
    row = statement.one(world.connection)
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("verb", "reason", "counted"),
    [
        (Verb.RECOVER, Reason.HOST_LOST, (1, 0)),
        (Verb.RECOVER, Reason.WORKER_LOST, (0, 1)),
        (Verb.HAND_BACK, Reason.DRAINED, (0, 0)),
        (Verb.HAND_BACK, Reason.HOST_LOST, (0, 0)),
        (Verb.HAND_BACK, Reason.WORKER_LOST, (0, 0)),
    ],
)
def test_a_run_that_is_let_go_is_ready_again_and_only_deaths_are_counted(
    world: World, verb: Verb, reason: Reason, counted: tuple[int, int]
) -> None:
    made = world.run("executing", step_in_flight="b##1")

    event = _release(world, made, verb, reason)

    row = world.row(made.id)
    assert (row["status"], row["lease_worker"], row["resumed"], row["epoch"]) == ("RUNNING", None, True, made.epoch + 1)
    assert row["ready_at"] is not None
    assert (row["crashes"], row["losses"]) == counted
    assert (event.type, event.verb, event.reason) == ("status", verb, reason)
    assert event.data == {"stepInFlight": "b##1", "stopped": "died", "cause": reason}
    assert world.payload(made.id)["error"] is None


@pytest.mark.parametrize(
    ("reason", "column", "before", "fails_as"),
    [
        (Reason.HOST_LOST, "crashes", 1, None),
        (Reason.HOST_LOST, "crashes", 2, "crashed"),
        (Reason.WORKER_LOST, "losses", 9, None),
        (Reason.WORKER_LOST, "losses", 10, "worker_lost"),
        (Reason.HOST_LOST, "losses", 10, None),
        (Reason.WORKER_LOST, "crashes", 2, None),
    ],
)
def test_the_third_crash_and_the_eleventh_loss_fail_the_run(
    world: World, reason: Reason, column: str, before: int, fails_as: str | None
) -> None:
    made = world.run("executing", step_in_flight="b##1", **{column: before})

    event = _release(world, made, Verb.RECOVER, reason)

    row = world.row(made.id)
    if fails_as is None:
        assert (row["status"], event.verb) == ("RUNNING", "recover")
        assert world.payload(made.id)["error"] is None
    else:
        assert (row["status"], row["reason"], row[column]) == ("FAILED", fails_as, before + 1)
        assert (event.type, event.verb, event.reason) == ("end", "fail", fails_as)
        assert event.data["stepInFlight"] == "b##1"
        assert world.payload(made.id)["error"] == {"code": "step_error", "message": "no"}


def test_a_drain_never_fails_a_run_however_often_its_hosts_died(world: World) -> None:
    made = world.run("executing", crashes=2, losses=10)

    assert _release(world, made, Verb.HAND_BACK, Reason.DRAINED).status == "RUNNING"


@pytest.mark.parametrize("verb", [Verb.RECOVER, Verb.HAND_BACK])
def test_a_pending_pause_is_honoured_and_answered(world: World, verb: Verb) -> None:
    made = world.run("pausing")

    event = _release(world, made, verb, Reason.DRAINED)

    row = world.row(made.id)
    assert (row["status"], row["pause_kind"], row["control_request"]) == ("PAUSED", "user", None)
    assert (event.type, event.verb, event.reason) == ("status", "pause_by_user", "by_user")
    assert world.events(made.id)[-1]["status"] == "PAUSED"


@pytest.mark.parametrize("columns", [{}, {"crashes": 2}, {"losses": 10}])
@pytest.mark.parametrize("reason", [Reason.HOST_LOST, Reason.WORKER_LOST])
def test_a_pending_cancel_is_honoured_before_anything_else(
    world: World, columns: dict[str, Any], reason: Reason
) -> None:
    made = world.run("canceling", **columns)

    event = _release(world, made, Verb.RECOVER, reason)

    assert (event.status, event.type, event.verb, event.reason) == ("CANCELED", "end", "cancel", "by_user")
    assert event.data["by"] == "ann"
    assert world.payload(made.id)["error"] is None


def test_a_crash_limit_beats_a_pause(world: World) -> None:
    made = world.run("pausing", crashes=2)

    assert _release(world, made, Verb.RECOVER, Reason.HOST_LOST).status == "FAILED"


@pytest.mark.parametrize("first", ["pause", "cancel"])
def test_cancel_beats_pause_in_whatever_order_they_were_asked_for(world: World, first: str) -> None:
    """Once the row has the cancel, neither a pause nor a park passes it."""
    made = world.run("pausing" if first == "pause" else "canceling")
    assert TICKETS["request_cancel"](made).one(world.connection) is not None

    assert world.row(made.id)["control_request"] == "cancel"
    assert MOVES["pause_executing"](made).one(world.connection) is None
    assert MOVES["park:await_approval"](made).one(world.connection) is None
    assert _release(world, made, Verb.HAND_BACK, Reason.DRAINED).status == "CANCELED"


def test_a_repeated_cancel_keeps_the_time_of_the_first(world: World) -> None:
    made = world.run("canceling")
    asked = world.row(made.id)["control_at"]
    assert TICKETS["request_cancel"](made).one(world.connection) is not None
    assert world.row(made.id)["control_at"] == asked

    pausing = world.run("pausing", control_at="2020-01-01T00:00:00Z")
    assert TICKETS["request_cancel"](pausing).one(world.connection) is not None
    assert world.row(pausing.id)["control_at"].year > 2020


def test_a_cancel_is_overdue_five_seconds_after_its_grace_and_not_before(world: World) -> None:
    for age_s, overdue in ((9, False), (11, True)):
        made = world.run("canceling", step_in_flight="a##1")
        world.connection.execute(
            "UPDATE run SET control_at = now() - %s * interval '1 s' WHERE id = %s", [age_s, made.id]
        )
        row = MOVES["cancel_overdue"](made).one(world.connection)
        assert (row is not None) is overdue
        assert (world.row(made.id)["status"] == "CANCELED") is overdue


@pytest.mark.parametrize("call", ["succeed", "fail"])
def test_a_cancel_that_came_too_late_is_told_in_the_end_event(world: World, call: str) -> None:
    told = {}
    for situation in ("executing", "pausing", "canceling"):
        made = world.run(situation)
        assert MOVES[call](made).one(world.connection) is not None
        told[situation] = world.events(made.id)[-1]["data"]

    assert told == {"executing": {}, "pausing": {}, "canceling": {"cancelTooLate": True}}


def test_a_cancel_says_which_step_was_in_flight_and_how_it_was_stopped(world: World) -> None:
    made = world.run("canceling")
    event = MOVES["cancel_executing"](made).one(world.connection)

    assert event is not None
    assert event.data == {"stepInFlight": "a##1", "stopped": "interrupted", "by": "ann"}


def test_active_time_adds_up_over_activations(world: World) -> None:
    """Ended by its worker: by the worker's own clock. Taken away from it: since the claim, by the database clock."""
    parked, ended = world.run("executing", active_ms=100), world.run("executing", active_ms=100)
    assert MOVES["park:await_approval"](parked).one(world.connection) is not None
    assert MOVES["succeed"](ended).one(world.connection) is not None
    assert [world.row(made.id)["active_ms"] for made in (parked, ended)] == [105, 105]

    released, overdue = world.run("executing", active_ms=100), world.run("overdue", active_ms=100)
    _release(world, released, Verb.RECOVER, Reason.WORKER_LOST)
    assert MOVES["cancel_overdue"](overdue).one(world.connection) is not None
    for made in (released, overdue):
        assert 2100 <= world.row(made.id)["active_ms"] < 60_000

    waiting = world.run("ready", active_ms=100, claimed_at="2020-01-01T00:00:00Z")
    assert MOVES["cancel_idle"](waiting).one(world.connection) is not None
    assert world.row(waiting.id)["active_ms"] == 100


def test_result_and_error_are_written_with_the_move_that_ends_the_run(world: World) -> None:
    succeeded, failed, canceled = (world.run("executing") for _ in range(3))
    for made, call in ((succeeded, "succeed"), (failed, "fail"), (canceled, "cancel_executing")):
        assert MOVES[call](made).one(world.connection) is not None

    paid = [world.payload(made.id) for made in (succeeded, failed, canceled)]
    assert [row["result"] for row in paid] == [{"x": 1}, None, None]
    assert [row["error"] for row in paid] == [None, {"code": "step_error", "message": "no"}, None]
    assert [row["input"] for row in paid] == [{"n": 1}] * 3
