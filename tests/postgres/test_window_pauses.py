"""A window that pauses parks executing runs when it closes, and wakes them when it opens, beside any other request."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from models import control_requests, moves
from models.calendar import windows
from models.fleet import queue_settings
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.stored_event import StoredEvent
from scheduler.duties.window_enforcement import Closing
from scheduler.promotion import gates as gates_of
from scheduler.promotion.gates import GateReader
from tests.postgres.database_setup import consuming
from tests.postgres.factory import AGENT, World
from tests.postgres.stepping import do
from tests.postgres.timetables import put, turn


class Night:
    """A run that a worker executes while its window, which pauses its runs, closes."""

    def __init__(self, world: World, by: str = "run") -> None:
        self.world, self.closing = world, Closing(GateReader())
        self.woken: list[UUID] = []
        put(world, "night", is_open=False, on_close="pause")
        worker = consuming(world)
        named = {"window_name": "night"} if by == "run" else {}
        self.made, self.other = (
            world.run("executing", worker=worker, **named),
            world.run("executing", queue="elsewhere"),
        )
        world.insert("agent", {"name": AGENT, "queue": "default", "version": "1", "input_schema": "{}"})
        if by != "run":
            name = {"queue": "default", "agent": AGENT}[by]
            assert queue_settings.change(by, name, {"window": "night"}).one(world.connection)  # type: ignore[arg-type]

    def step(self) -> dict[str, Any]:
        self.woken += do(self.closing, self.world.connection).workers
        return self.world.row(self.made.id)

    def park(self) -> StoredEvent | None:
        made = self.made
        park = moves.park_for_window(made.id, made.epoch, made.worker, active_ms=1, window="night")
        return park.one(self.world.connection)

    def open(self) -> None:
        turn(self.world, "night", "open")


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates_of, "FRESH_SECONDS", 0.0)


@pytest.mark.parametrize("by", ["run", "queue", "agent"])
@pytest.mark.usefixtures("fresh")
def test_a_window_that_pauses_parks_what_executes_and_wakes_it_when_it_opens(own_world: World, by: str) -> None:
    night = Night(own_world, by)
    row = night.step()
    assert (row["control_request"], row["control_reason"], row["status"]) == ("window", "night", "RUNNING")
    assert own_world.row(night.other.id)["control_request"] == ("window" if by == "agent" else None)
    assert night.woken[0] == night.made.worker

    parked = night.park()
    assert parked is not None
    assert (parked.verb, parked.reason, parked.status) == ("pause_by_agent", "window_closed", "PAUSED")
    assert [wait["kind"] for wait in parked.data["waits"]] == ["window"]
    row = night.step()
    assert (row["pause_kind"], row["lease_worker"], row["control_request"], row["ready_at"]) == (
        "agent",
        None,
        None,
        None,
    )

    night.open()
    row = night.step()
    assert (row["status"], row["reason"], row["resumed"], row["ready_at"] is None) == (
        "RUNNING", "window_opened", True, False,
    )  # fmt: skip
    assert [event["verb"] for event in own_world.events(night.made.id)][-2:] == ["pause_by_agent", "resume"]
    assert night.step() == row, "once is enough"


@pytest.mark.usefixtures("fresh")
def test_a_window_that_opens_before_the_run_came_to_its_edge_asks_for_nothing_any_more(own_world: World) -> None:
    night = Night(own_world)
    night.step()
    night.open()
    assert night.step()["control_request"] is None
    assert night.park() is None


@pytest.mark.usefixtures("fresh")
def test_a_cancel_and_a_pause_take_the_place_of_a_window_that_closed_and_keep_it(own_world: World) -> None:
    night = Night(own_world)
    run = night.made.id
    night.step()
    assert control_requests.request_pause(run, by="ann", comment="lunch").one(own_world.connection)
    assert night.step()["control_request"] == "pause"
    assert night.park() is None
    cancel = control_requests.request_cancel(run, "acme", by="ann", comment=None, grace_ms=1000)
    assert cancel.one(own_world.connection)
    assert night.step()["control_request"] == "cancel"


@pytest.mark.parametrize("how", ["hand_back", "wait"])
@pytest.mark.usefixtures("fresh")
def test_whatever_else_ends_the_activation_answers_the_window_too(own_world: World, how: str) -> None:
    night = Night(own_world)
    night.step()
    at = (night.made.id, night.made.epoch, night.made.worker)
    if how == "wait":
        wait = [NewWait("a", "signal", {"signal": "go"})]
        ended = moves.park(Verb.PAUSE_BY_AGENT, *at, inbox=0, active_ms=1, reason=Reason.WAITING, waits=wait)
    else:
        ended = moves.release(*at, verb=Verb.HAND_BACK, reason=Reason.DRAINED)
    assert ended.one(own_world.connection)
    row = night.step()
    assert (row["control_request"], row["control_reason"], row["ticket_at"]) == (None, None, None)
    assert row["reason"] == ("waiting" if how == "wait" else "drained")


@pytest.mark.usefixtures("fresh")
def test_a_run_that_a_user_wants_paused_is_paused_by_the_user_when_its_window_opens(own_world: World) -> None:
    night = Night(own_world)
    night.step()
    assert night.park()
    assert control_requests.request_pause(night.made.id, by="ann", comment=None).one(own_world.connection)
    night.open()
    row = night.step()
    assert (row["status"], row["pause_kind"], row["control_request"]) == ("PAUSED", "user", None)
    assert [event["verb"] for event in own_world.events(night.made.id)][-3:] == [
        "pause_by_agent", "resume", "pause_by_user",
    ]  # fmt: skip


@pytest.mark.usefixtures("fresh")
def test_what_waits_for_a_window_that_was_deleted_goes_on(own_world: World) -> None:
    night = Night(own_world)
    night.step()
    assert night.park()
    assert windows.delete("night", by="ann").one(own_world.connection)
    assert night.step()["reason"] == "window_opened"
