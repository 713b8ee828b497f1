"""A closed gate holds back its whole class, new and resumed runs alike; an open one holds back nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from models.fleet import queue_settings
from scheduler.duties.window_enforcement import Closing
from scheduler.promotion import gates as gates_of
from scheduler.promotion.gates import GateReader
from scheduler.promotion.promotion import Promotion
from tests.postgres.calls import claim
from tests.postgres.database_setup import Published, consuming
from tests.postgres.factory import AGENT, World
from tests.postgres.stepping import do
from tests.postgres.timetables import put, turn


@pytest.fixture
def promotion(published: Published, monkeypatch: pytest.MonkeyPatch) -> Promotion:
    monkeypatch.setattr(gates_of, "FRESH_SECONDS", 0.0)  # the next step sees what a test just wrote
    return Promotion(published, GateReader(), fill_s=0)


def promoted(world: World, promotion: Promotion, published: Published) -> set[UUID]:
    do(promotion, world.connection)
    return set(published.take())


@pytest.mark.parametrize("situation", ["queued", "ready"])
def test_a_run_of_a_closed_window_waits_new_or_resumed_and_others_pass_it(
    own_world: World, promotion: Promotion, published: Published, situation: str
) -> None:
    worker = consuming(own_world, slots=8)
    put(own_world, "night", is_open=False)
    put(own_world, "day")
    held = own_world.run(situation, worker=worker, window_name="night", priority=9)
    free = own_world.run(situation, worker=worker)
    by_day = own_world.run(situation, worker=worker, window_name="day")

    assert promoted(own_world, promotion, published) == {free.id, by_day.id}
    before = own_world.row(held.id)
    assert promoted(own_world, promotion, published) == set()
    assert own_world.row(held.id) == before, "nothing is written about a run that is held back"

    turn(own_world, "night", "open")
    assert promoted(own_world, promotion, published) == {held.id}


@pytest.mark.parametrize("kind", ["queue", "agent"])
@pytest.mark.parametrize("how", ["window", "paused"])
def test_a_queue_or_an_agent_is_held_back_as_a_whole(
    own_world: World, promotion: Promotion, published: Published, kind: Any, how: str
) -> None:
    worker = consuming(own_world, slots=8, agents=[AGENT, "other"])
    consuming(own_world, queue="elsewhere", agents=[AGENT, "other"])
    for agent in (AGENT, "other"):
        own_world.insert("agent", {"name": agent, "queue": "default", "version": "1", "input_schema": "{}"})
    put(own_world, "night", is_open=False)
    runs = {
        (queue, agent): own_world.run("queued", worker=worker, queue=queue, agent=agent).id
        for queue in ("default", "elsewhere")
        for agent in (AGENT, "other")
    }
    name = "default" if kind == "queue" else AGENT
    asked = {"window": "night"} if how == "window" else {"paused": True}
    assert queue_settings.change(kind, name, asked).one(own_world.connection)

    gated = {run for place, run in runs.items() if name in place}
    assert promoted(own_world, promotion, published) == set(runs.values()) - gated
    lifted = {"window": None} if how == "window" else {"paused": False}
    assert queue_settings.change(kind, name, lifted).one(own_world.connection)
    assert promoted(own_world, promotion, published) == gated


def test_a_run_goes_only_while_all_of_its_windows_are_open(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    worker = consuming(own_world)
    for name in ("of the queue", "of the run"):
        put(own_world, name)
    assert queue_settings.change("queue", "default", {"window": "of the queue"}).one(own_world.connection)
    made = own_world.run("queued", worker=worker, window_name="of the run")
    turn(own_world, "of the queue", "closed")
    assert promoted(own_world, promotion, published) == set()
    turn(own_world, "of the queue", "open")
    turn(own_world, "of the run", "closed")
    assert promoted(own_world, promotion, published) == set()
    turn(own_world, "of the run", "open")
    assert promoted(own_world, promotion, published) == {made.id}


def test_a_ticket_whose_window_closed_is_withdrawn_and_comes_again_with_another_epoch(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    worker = consuming(own_world)
    put(own_world, "night")
    made, other = own_world.run("queued", worker=worker, window_name="night"), own_world.run("queued", worker=worker)
    assert promoted(own_world, promotion, published) == {made.id, other.id}
    ticket = own_world.row(made.id)

    turn(own_world, "night", "closed")
    do(Closing(GateReader()), own_world.connection)

    row = own_world.row(made.id)
    assert (row["ticket_at"], row["epoch"], row["status"]) == (None, ticket["epoch"], "QUEUED")
    assert own_world.row(other.id)["ticket_at"] is not None
    made_then = made.__class__(made.id, ticket["epoch"], worker)
    assert claim(made_then).one(own_world.connection) is None, "the ticket that is still under way is worth nothing"
    assert len(own_world.events(made.id)) == 1, "and nothing is said of it"
    turn(own_world, "night", "open")
    assert promoted(own_world, promotion, published) == {made.id}
    assert own_world.row(made.id)["epoch"] == ticket["epoch"] + 1


def test_an_executing_run_is_left_alone_when_its_window_closes(own_world: World) -> None:
    put(own_world, "night", is_open=False)
    made = own_world.run("executing", window_name="night")
    before = own_world.row(made.id)
    do(Closing(GateReader()), own_world.connection)
    assert own_world.row(made.id) == before


def test_the_moment_at_which_a_window_closes_is_seen_without_reading_it_again(own_world: World) -> None:
    put(own_world, "night")
    turn(own_world, "night", "closed", seconds=0.15)
    reader = GateReader()
    gates = reader.read(own_world.connection)
    assert gates.closed == {"night"}
    assert 0 < gates.changes_in <= 0.15
    own_world.connection.execute('DELETE FROM "window"')  # a second read would see nothing at all
    while not (later := reader.read(own_world.connection)).open and later.closed:
        pass
    assert later.open == ("night",)


def test_a_window_whose_zone_this_machine_does_not_know_is_closed(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    put(own_world, "night", timezone="Europe/Atlantis")
    own_world.run("queued", worker=consuming(own_world), window_name="night")
    assert promoted(own_world, promotion, published) == set()
