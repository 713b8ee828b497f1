"""Of an agent's own end and a stop, the first one holds; a cancel takes precedence over a time limit."""

from __future__ import annotations

import threading
import time

from executor.activation.steps_in_flight import StepsInFlight
from executor.activation.stop_switch import StopSwitch
from models.runs.recording import StepRecord


def test_a_stop_that_came_first_keeps_the_agent_from_finishing() -> None:
    switch = StopSwitch()
    assert switch.ask("cancel", 5, "a#1", "ann", "enough") is True
    assert switch.finish() is False
    assert switch.stop is not None
    assert (switch.stop.kind, switch.stop.in_flight, switch.stop.by, switch.stop.comment) == (
        "cancel",
        "a#1",
        "ann",
        "enough",
    )


def test_a_finish_that_came_first_refuses_the_stop() -> None:
    switch = StopSwitch()
    assert switch.finish() is True
    assert switch.ask("cancel", 5, None) is False
    assert switch.stop is None


def test_a_cancel_beats_a_time_limit_that_is_being_enforced() -> None:
    switch = StopSwitch()
    switch.ask("timeout", 5, "a#1")
    assert switch.ask("cancel", 60, "b#1", "ann", "enough") is False
    assert switch.stop is not None
    assert (switch.stop.kind, switch.stop.in_flight, switch.stop.by) == ("cancel", "a#1", "ann")
    assert switch.stop.kill_at <= time.monotonic() + 5


def test_a_time_limit_does_not_beat_a_cancel() -> None:
    switch = StopSwitch()
    switch.ask("cancel", 5, None, "ann")
    switch.ask("timeout", 1, None)
    assert switch.stop is not None
    assert (switch.stop.kind, switch.stop.by) == ("cancel", "ann")


def test_a_shorter_grace_is_taken_over_and_a_longer_one_is_not() -> None:
    switch = StopSwitch()
    for grace in (60.0, 2.0, 30.0):
        switch.ask("cancel", grace, None, "ann")
    assert switch.stop is not None
    assert time.monotonic() < switch.stop.kill_at <= time.monotonic() + 2


def test_of_many_that_decide_at_once_one_side_wins_for_everybody() -> None:
    for _ in range(50):
        switch, told = StopSwitch(), []
        start = threading.Barrier(3)

        def ask(switch: StopSwitch = switch, told: list[bool] = told, start: threading.Barrier = start) -> None:
            start.wait()
            told.append(switch.ask("cancel", 1, None))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        start.wait()
        finished = switch.finish()
        for thread in threads:
            thread.join()
        assert told.count(True) == (0 if finished else 1)
        assert (switch.stop is None) == finished


def _attempt(key: str) -> StepRecord:
    return StepRecord(key, "a", "", 1, "retrying", 1, None)


def test_the_step_that_executes_for_longest_is_shown() -> None:
    steps = StepsInFlight()
    for key in ("a", "b", "c"):
        steps.started(_attempt(key), None)
    assert (steps.oldest, len(steps)) == ("a", 3)
    steps.ended("a")
    steps.ended("unknown")
    assert (steps.oldest, len(steps)) == ("b", 2)


def test_a_step_is_stuck_when_its_limit_has_passed() -> None:
    steps = StepsInFlight()
    steps.started(_attempt("a"), None)
    steps.started(_attempt("b"), 60)
    assert steps.stuck() is None
    steps.started(_attempt("c"), -1)
    assert steps.stuck() == _attempt("c")
    steps.ended("c")
    assert steps.stuck() is None


def test_the_shown_step_may_be_asked_for_while_steps_come_and_go() -> None:
    steps, going, faults = StepsInFlight(), True, list[BaseException]()

    def ask() -> None:
        try:
            while going:
                assert steps.oldest in (None, *map(str, range(50)))
        except BaseException as fault:  # noqa: BLE001  shown by the test
            faults.append(fault)

    thread = threading.Thread(target=ask)
    thread.start()
    for turn in range(5_000):
        steps.started(_attempt(str(turn % 50)), None)
        steps.ended(str((turn + 25) % 50))
    going = False
    thread.join()
    assert faults == []
