"""Outcomes and timers of the time in which a run did not execute are shown in their order when it resumes."""

from __future__ import annotations

import time
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from taxiway.host.waiting import LONG_OVERDUE, MOMENT_KEY, Waiting
from taxiway.ledger import Ledger, Turn
from taxiway.waits import Settled

NOW = 100.0


class Slept:
    """A run that resumes at NOW on its clock; `turns` are its records: moment, outcomes seen, waits given up."""

    def __init__(self, *settled: Settled, turns: tuple[Turn, ...] = (), stopped: bool = False) -> None:
        self.turns: list[tuple[float, list[str], list[str]]] = []

        def commit(_kind: object, fields: dict[str, Any]) -> Future[None]:
            self.turns.append((fields["at"], fields["seen"], fields["gone"]))
            return Future()

        ledger = Ledger(settled=settled, turns=turns)
        activation: Any = SimpleNamespace(ledger=ledger, commit=commit, is_stopped=stopped)
        loop: Any = SimpleNamespace(run_clock=SimpleNamespace(real=lambda: NOW, now=5.0))
        self.waiting = Waiting(activation, loop)
        stamp = lambda at=None: (NOW if at is None else at) * 1000  # noqa: E731
        self.waiting.turns = SimpleNamespace(stamp=stamp, expect=lambda *_, **__: None, is_unnoted=True)  # type: ignore[assignment]

    def catches_up(self, timer: float | None) -> bool:
        return self.waiting.catch_up(None if timer is None else SimpleNamespace(when=timer))  # type: ignore[arg-type]


def _came(key: str, ago: float) -> Settled:
    return Settled(key, "received", resolved_ms=(time.time() - ago) * 1000)


def test_what_came_is_seen_in_one_turn_now() -> None:
    run = Slept(_came("a", 9), Settled("b", None), _came("c", 3))
    assert run.catches_up(None)
    assert run.turns == [(NOW * 1000, ["a", "c"], [])]
    assert not run.catches_up(None), "once"


def test_what_was_seen_or_given_up_before_is_not_seen_again_and_what_is_the_server_s_never() -> None:
    known = Turn(1, 1.0, ("a",), ("b",))
    alarm, withdrawn = _came("alarm@5.0#1", 1), Settled("d", "withdrawn")
    assert not Slept(_came("a", 9), _came("b", 9), alarm, withdrawn, turns=(known,)).catches_up(None)


def test_an_outcome_that_came_before_a_timer_was_due_is_seen_before_it_fires() -> None:
    run = Slept(_came("early", 40), _came("late", 20))
    assert run.catches_up(70.0)
    ((at, seen, _),) = run.turns
    assert (at / 1000, seen) == (pytest.approx(60, abs=1), ["early"])
    assert not run.catches_up(70.0), "the timer fires"
    assert run.catches_up(None)
    assert run.turns[1] == (NOW * 1000, ["late"], [])


def test_timers_that_are_long_overdue_fire_at_once() -> None:
    run = Slept(_came("a", 1))
    assert not run.catches_up(NOW - LONG_OVERDUE)
    assert run.catches_up(NOW - LONG_OVERDUE - 1)
    assert run.turns == [(NOW * 1000, [], [])], "a mere moment"


def test_a_run_that_was_stopped_records_nothing_any_more() -> None:
    assert not Slept(_came("a", 1), stopped=True).catches_up(None)


def test_timers_that_have_fired_are_noted_before_others_learn_of_what_they_led_to() -> None:
    run = Slept()
    run.waiting.note_timers()
    assert run.turns == [(NOW * 1000, [MOMENT_KEY], [])]
