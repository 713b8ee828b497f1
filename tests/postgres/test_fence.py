"""An activation writes only under its epoch and its worker's lease."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models import control_requests, moves
from models.fleet import workers
from models.promotion import tickets
from models.runs import holding, recording
from tests.postgres.calls import MOVES, RECORDS, TICKETS, Call, foreign, functions, late, takes_an_epoch
from tests.postgres.factory import Made, World

_ALL = {**MOVES, **RECORDS, **TICKETS}
# The situation in which each fenced function would be allowed with the right epoch and worker.
FENCED: dict[str, str] = {
    "claim": "promoted",
    "decline": "promoted",
    "pause_executing": "pausing",
    "park_for_window": "closing",
    **dict.fromkeys(
        ["succeed", "restart", "fail", "cancel_executing", "release:recover", "release:hand_back"], "executing"
    ),
    **dict.fromkeys(["park:require_authorization", "park:await_approval", "park:pause_by_agent"], "executing"),
    **dict.fromkeys(["step", "event", "in_flight", "log", "abandoned", "held"], "executing"),
}
_BY_TICKET = {"claim", "decline"}
_BY_LEASE = [name for name in FENCED if name not in _BY_TICKET]


def test_no_function_that_takes_an_epoch_is_left_out() -> None:
    every = {
        **functions(moves),
        **functions(recording),
        **functions(holding),
        **functions(tickets),
        **functions(control_requests),
        **functions(workers),
    }
    fenced = {name for name, function in every.items() if takes_an_epoch(function)}

    assert fenced == {name.partition(":")[0] for name in FENCED}


def _changes_nothing(world: World, call: Call, made: Made) -> None:
    before = world.whole(made.id)
    assert call(made).all(world.connection) == []
    assert world.whole(made.id) == before


@pytest.mark.parametrize("name", FENCED)
def test_the_right_epoch_and_worker_write(world: World, name: str) -> None:
    assert _ALL[name](world.run(FENCED[name])).one(world.connection) is not None


@pytest.mark.parametrize("name", FENCED)
def test_a_late_epoch_changes_nothing(world: World, name: str) -> None:
    _changes_nothing(world, _ALL[name], late(world.run(FENCED[name])))


@pytest.mark.parametrize("name", FENCED)
def test_an_epoch_that_never_was_changes_nothing(world: World, name: str) -> None:
    made = world.run(FENCED[name])
    _changes_nothing(world, _ALL[name], replace(made, epoch=made.epoch + 1))


@pytest.mark.parametrize("name", _BY_LEASE)
def test_another_worker_changes_nothing(world: World, name: str) -> None:
    _changes_nothing(world, _ALL[name], foreign(world.run(FENCED[name]), world.worker()))


@pytest.mark.parametrize("name", _BY_LEASE)
def test_an_activation_that_was_recovered_changes_nothing(world: World, name: str) -> None:
    made = world.run("executing")
    assert MOVES["release:recover"](made).one(world.connection) is not None

    _changes_nothing(world, _ALL[name], made)


@pytest.mark.parametrize("name", _BY_LEASE)
def test_an_activation_whose_run_went_on_elsewhere_changes_nothing(world: World, name: str) -> None:
    made, other = world.run("executing"), world.worker()
    for call, as_seen in (
        (MOVES["release:recover"], made),
        (TICKETS["promote"], made),
        (MOVES["claim"], replace(made, epoch=made.epoch + 2, worker=other)),
    ):
        assert call(as_seen).one(world.connection) is not None

    _changes_nothing(world, _ALL[name], made)
    _changes_nothing(world, _ALL[name], replace(made, epoch=made.epoch + 2))


@pytest.mark.parametrize("name", _BY_LEASE)
def test_even_the_same_worker_needs_the_new_epoch_after_a_hand_back(world: World, name: str) -> None:
    made = world.run("executing")
    assert MOVES["release:hand_back"](made).one(world.connection) is not None
    assert TICKETS["promote"](made).one(world.connection) is not None
    again = replace(made, epoch=made.epoch + 2)
    assert MOVES["claim"](again).one(world.connection) is not None

    _changes_nothing(world, _ALL[name], made)


def test_a_cancel_that_its_worker_did_not_answer_fences_that_worker(world: World) -> None:
    made = world.run("overdue")
    row = MOVES["cancel_overdue"](made).one(world.connection)

    assert row is not None
    assert row.epoch == made.epoch + 1
    assert world.events(made.id)[-1]["data"] == {"stepInFlight": "a##1", "stopped": "fenced", "by": "ann"}
    for name in _BY_LEASE:
        _changes_nothing(world, _ALL[name], made)


def test_a_lost_acknowledgement_of_a_claim_is_answered_only_to_the_worker_that_holds_the_run(world: World) -> None:
    made = world.run("promoted")
    world.insert("label", {"run_id": made.id, "tenant": "acme", "kind": "metadata", "name": "team", "value": "x"})
    first = MOVES["claim"](made).one(world.connection)
    again = _claimed(world, made)

    assert first is not None
    assert again is not None
    shared = set(again) - {"status"}
    assert shared >= {"agent", "epoch", "lease_worker", "activations", "input", "metadata", "has_steps", "timeout_ms"}
    shared.remove("now_ms")
    assert {name: again[name] for name in shared} == {name: getattr(first, name) for name in shared}
    assert (again["metadata"], again["input"], again["activations"]) == ({"team": "x"}, '{"n": 1}', 1)
    assert _claimed(world, foreign(made, world.worker())) is None
    assert _claimed(world, late(made)) is None
    assert MOVES["release:hand_back"](made).one(world.connection) is not None
    assert _claimed(world, made) is None


def _claimed(world: World, made: Made) -> dict[str, object] | None:
    fence = {"run": made.id, "epoch": made.epoch, "worker": made.worker}
    return world.connection.execute(moves.CLAIMED, fence).fetchone()
