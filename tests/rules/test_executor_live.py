"""Live messages of an agent have a rate: of progress the newest is shown, other messages above it are dropped and counted."""

from __future__ import annotations

from typing import Any

import pytest

from executor.activation import live_messages as rates
from executor.activation.live_messages import Live


class Shown:
    """The live messages of a run, with their own clock."""

    def __init__(self) -> None:
        self.now = 50.0
        self.said: list[Any] = []
        self.told: list[str] = []
        self.live = Live(lambda _, data: self.said.append(data["n"]), self.told.append, lambda: self.now)

    def progress(self, n: int, step: str | None = None) -> None:
        self.live.progress({"n": n, "step": step})

    def passes(self, seconds: float) -> list[Any]:
        self.now += seconds
        self.live.tick()
        said, self.said[:] = list(self.said), []
        return said


@pytest.fixture
def run() -> Shown:
    return Shown()


def test_the_first_progress_is_shown_immediately_and_then_the_newest_ten_times_a_second(run: Shown) -> None:
    for n in range(1000):
        run.progress(n)
    assert run.said == [0]
    assert run.passes(0.05) == [0], "too soon"
    assert run.passes(0.06) == [999]
    assert run.passes(1) == [], "once"


def test_progress_of_several_steps_is_kept_apart(run: Shown) -> None:
    run.progress(0)
    for n in (1, 2, 3):
        run.progress(n, "a")
        run.progress(-n, "b")
    assert run.passes(0.2) == [0, 3, -3]


def test_a_host_that_names_ever_more_steps_fills_no_memory(run: Shown) -> None:
    for n in range(10 * rates.MOST_STEPS):
        run.progress(n, f"step {n}")
    assert len(run.passes(0.2)) <= rates.MOST_STEPS + 1


def test_the_last_progress_is_shown_before_what_is_durable_and_before_the_end(run: Shown) -> None:
    for n in range(5):
        run.progress(n)
    run.live.settle()
    assert run.said == [0, 4]
    run.progress(5)
    run.live.tick(last=True)
    assert run.said == [0, 4, 5]


def test_events_beyond_the_budget_are_dropped_and_the_log_tells_how_many(run: Shown) -> None:
    for n in range(5_000):
        run.live.message("agent", {"n": n}, 10)
    shown = int(rates.MESSAGES_AT_ONCE)
    assert run.passes(1) == list(range(shown)), "those that are shown keep their order"
    assert run.told == [f"{5_000 - shown:,} live events were not shown: a run may show {rates.MESSAGES:.0f} a second"]
    run.live.message("agent", {"n": 1}, 10)
    assert run.passes(1) == [1]
    assert len(run.told) == 1


def test_large_events_have_a_budget_of_bytes(run: Shown) -> None:
    for n in range(100):
        run.live.message("agent", {"n": n}, 64 << 10)
    assert len(run.passes(0)) == rates.BYTES_AT_ONCE / (64 << 10)


def test_a_host_that_says_too_much_is_read_slowly_and_one_that_is_acknowledged_never(run: Shown) -> None:
    event: dict[str, Any] = {"frame": "event", "durable": False}
    breaths = [run.live.read_pause(event) for _ in range(10_000)]
    assert breaths[0] == 0
    assert breaths[-1] == rates.LONGEST_PAUSE
    assert run.live.read_pause({"frame": "step"}) == 0
    assert run.live.read_pause({"frame": "event", "durable": True}) == 0
    run.now += 10
    assert run.live.read_pause(event) == 0
