"""The moment at which an async agent's run is parked: immediately if its code only waits, later if other work continues."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import copy_context
from types import SimpleNamespace
from typing import Any

import pytest
from taxiway.errors import Park
from taxiway.frames import Kind
from taxiway.host.agent_loop import AgentLoop
from taxiway.host.parking import BACKGROUND, Parking
from taxiway.host.run_clock import RunClock, Timers
from taxiway.host.task_paths import TaskPaths
from taxiway.inside import agent_code
from taxiway.waits import Wait, timer

PATIENCE = 10.0


class _Clock(RunClock):
    late = 0.0

    def real(self) -> float:
        return max(self.now, self.late)


class Slot:
    """A slot in which an agent's code waits; `did` are the actions of the parking."""

    def __init__(self) -> None:
        self.clock = _Clock(0.0)
        self.loop = AgentLoop(self.clock, Timers(self.clock), TaskPaths())
        self.did: list[Any] = []
        self.waits: dict[str, Wait] = {}
        self.is_busy, self.is_settled, self.looks = False, True, False
        self.activation: Any = SimpleNamespace(
            order=SimpleNamespace(park_after=PATIENCE, number=3),
            is_stopped=False,
            stop=self.did.append,
            end=lambda: self.did.append("ends"),
            tell=lambda kind, fields: self.did.append((kind, [hold["kind"] for hold in fields["by"]])),
        )
        waiting: Any = SimpleNamespace(
            awaited=lambda: self.waits,
            open_new=lambda: self.did.append("opens"),
            look=lambda: self.looks and not self.did.append("looks"),
            note_timers=lambda: None,
            withdraw=lambda: None,
            wake="all",
        )
        turns: Any = SimpleNamespace(look=lambda: None)
        self.turns = turns
        self.parking = Parking(self.activation, self.loop, waiting, turns, lambda: self.is_busy)

    def waits_for(self, *keys: str) -> None:
        self.waits = {key: Wait(key, timer(60)) for key in keys}

    def sets_timer(self, seconds: float) -> None:
        """Set a timer as the agent's own code does."""

        def code() -> None:
            agent_code.set(True)
            self.loop.call_later(seconds, print)

        copy_context().run(code)

    def rests(self, seconds: float = 0.0) -> list[Any]:
        """Advance the time in which the code waits; return the actions of the parking."""
        self.clock.late += seconds
        self.turns.is_settled = self.is_settled
        self.did.clear()
        self.parking.on_rest()
        return self.did


@pytest.fixture
def slot() -> Iterator[Slot]:
    slot = Slot()
    yield slot
    slot.loop.close()


def _parked(did: list[Any]) -> tuple[list[str], str]:
    park, ends = did
    assert isinstance(park, Park)
    assert ends == "ends"
    return [str(wait["key"]) for wait in park.waits], park.wake


def test_a_run_that_only_waits_is_parked_at_once(slot: Slot) -> None:
    slot.waits_for("a", "b")
    assert _parked(slot.rests()) == (["a", "b"], "all")


def test_while_a_step_is_under_way_its_waits_are_opened_and_it_is_not_parked(slot: Slot) -> None:
    slot.waits_for("a")
    slot.is_busy = True
    assert slot.rests(3600) == ["opens"]


def test_while_something_is_on_its_way_to_be_recorded_it_is_not_parked(slot: Slot) -> None:
    slot.waits_for("a")
    slot.is_settled = False
    assert slot.rests(3600) == ["opens"]


def test_a_distant_timer_of_its_code_keeps_no_slot_and_wakes_it(slot: Slot) -> None:
    slot.waits_for("a")
    slot.sets_timer(86_400)
    keys, wake = _parked(slot.rests())
    assert keys == ["a", "alarm@86400.000000#3"]
    assert wake == "any"
    assert slot.did[0].waits[1]["dueMs"] == 86_400_000


def test_a_run_whose_code_only_sleeps_long_is_parked_for_the_timer(slot: Slot) -> None:
    slot.sets_timer(60)
    assert _parked(slot.rests())[0] == ["alarm@60.000000#3"]


def test_a_run_whose_code_sleeps_a_short_time_keeps_its_slot(slot: Slot) -> None:
    slot.sets_timer(PATIENCE / 2)
    assert slot.rests() == ["opens"]


def test_beside_a_heartbeat_it_opens_its_waits_at_once_says_what_holds_it_and_parks_after_a_while(slot: Slot) -> None:
    slot.waits_for("a")
    slot.sets_timer(1)
    assert slot.rests() == ["opens"]
    assert slot.rests(1.5) == ["opens", (Kind.HELD, ["timer"])]
    assert slot.rests(1.5) == ["opens"], "it is told once"
    assert _parked(slot.rests(PATIENCE))[0][0] == "a"


def test_what_its_code_asks_of_the_run_begins_the_rest_anew(slot: Slot) -> None:
    slot.waits_for("a")
    slot.sets_timer(1)
    slot.rests(PATIENCE - 1)
    slot.did.clear()
    slot.parking.touch()
    assert slot.did == [(Kind.HELD, [])], "nothing holds the slot any more"
    assert not any(isinstance(did, Park) for did in slot.rests(PATIENCE - 1))
    assert _parked(slot.rests(2))[0][0] == "a"


def test_a_pause_that_was_asked_for_parks_it_as_soon_as_it_waits(slot: Slot) -> None:
    slot.waits_for("a")
    slot.sets_timer(1)
    slot.parking.ask()
    assert _parked(slot.rests())[0][0] == "a"


def test_a_parked_run_is_not_woken_each_second_for_what_its_background_tasks_do(slot: Slot) -> None:
    slot.waits_for("a")
    slot.sets_timer(1)
    slot.rests(1)
    slot.clock.reach(1.5)
    slot.loop.run_timers.pop()
    slot.sets_timer(1)  # the next beat, which only the last beat has set
    keys, _ = _parked(slot.rests(PATIENCE))
    assert keys == ["a", f"alarm@{1 + PATIENCE + BACKGROUND:.6f}#3"]


def test_a_call_in_a_thread_or_a_socket_of_its_code_holds_the_slot_for_a_while(slot: Slot) -> None:
    slot.waits_for("a")
    slot.loop.agent_jobs.add(slot.loop.create_future())
    assert slot.rests(1.5) == ["opens", (Kind.HELD, ["thread"])]
    assert _parked(slot.rests(PATIENCE))[0] == ["a"]


def test_code_that_waits_for_nothing_of_the_run_is_not_parked_beside_a_thread_that_may_wake_it(slot: Slot) -> None:
    slot.sets_timer(3600)
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        assert slot.rests(3600) == ["opens"]
    finally:
        ended.set()
        thread.join()


def test_a_run_whose_code_neither_waits_nor_sleeps_is_left_alone(slot: Slot) -> None:
    assert slot.rests(3600) == ["opens"]


def test_code_that_is_made_to_end_has_its_timers_fire_on(slot: Slot) -> None:
    looked: list[str] = []
    slot.turns.look = lambda: (looked.append("looks"), slot.loop.stop())
    slot.activation.is_stopped = True
    slot.sets_timer(0.001)
    assert slot.rests() == []
    slot.loop.call_ours_in(1, slot.loop.stop)
    slot.loop.run_forever()
    assert looked == ["looks"]


def test_it_is_not_parked_before_it_was_asked_whether_what_it_waits_for_is_there(slot: Slot) -> None:
    slot.waits_for("a")
    slot.looks = True
    assert slot.rests() == ["looks"]
    slot.looks = False
    park, ends = slot.rests()
    assert (type(park), ends) == (Park, "ends")
