"""Hints are given by one thread and waited for by another; none is lost, and fast ones are answered together."""

from __future__ import annotations

import threading
import time

from scheduler.hints import Hints


def test_the_channels_of_all_hints_since_the_last_wait_are_given_once() -> None:
    hints = Hints()
    for channel in ("a", "b", "a"):
        hints.give(channel)
    assert hints.wait(0) == {"a", "b"}
    assert hints.wait(0) == frozenset()


def test_hints_that_come_before_the_earliest_time_are_answered_together() -> None:
    hints, began = Hints(), time.monotonic()
    hints.give("a")
    late = threading.Timer(0.05, hints.give, ["b"])
    late.start()
    assert hints.wait(10, not_before=began + 0.3) == {"a", "b"}
    assert time.monotonic() - began >= 0.3
    late.join()


def test_an_interrupt_ends_the_wait_without_a_hint() -> None:
    hints, began = Hints(), time.monotonic()
    hints.interrupt()
    assert hints.wait(10) == frozenset()
    assert time.monotonic() - began < 5


def test_no_hint_is_lost_to_a_thread_that_takes_them() -> None:
    hints, taken, over = Hints(), set[str](), threading.Event()

    def take() -> None:
        while not over.is_set():
            taken.update(hints.wait(0.01))
        taken.update(hints.wait(0))

    taking = threading.Thread(target=take)
    taking.start()
    wanted = {str(n) for n in range(5000)}
    for channel in wanted:
        hints.give(channel)
    over.set()
    taking.join(10)
    assert taken == wanted
