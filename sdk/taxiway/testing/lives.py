"""Restarts of a played run: its successors are played one after another, on one clock, to the last."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from taxiway.encode import json_text
from taxiway.testing.clock import Clock
from taxiway.testing.errors import Endless, Misplayed
from taxiway.testing.outcome import Outcome

MOST_LIVES: Final = 300


def to_the_last(
    play: Callable[[str, str, Clock], Outcome],
    text: str,
    run_id: str,
    clock: Clock,
    *,
    whose: str,
    restarts: int | None = None,
) -> Outcome:
    """Return the outcome of the last run, with the earlier outcomes and the time that all runs slept.

    `play` plays one run with this input and id to its end. At most `restarts` are followed; None follows all, and raises
    Endless after 300.
    """
    earlier: list[Outcome] = []
    slept = 0.0
    while True:
        try:
            outcome = play(text, run_id, clock)
        except Misplayed as problem:
            problem.outcome = replace(problem.outcome, earlier=tuple(earlier))
            raise
        slept += outcome.slept
        if outcome.next_input is None or len(earlier) == restarts:
            return replace(outcome, slept=slept, earlier=tuple(earlier))
        earlier.append(outcome)
        if len(earlier) == MOST_LIVES:
            raise _endless(outcome, tuple(earlier), whose)
        text, run_id = json_text(outcome.next_input), str(uuid.uuid4())
        clock = Clock(clock.now, clock.zero)


def _endless(outcome: Outcome, earlier: tuple[Outcome, ...], whose: str) -> Endless:
    endless = Endless(
        f"{whose} restarted {MOST_LIVES} times and continues, now with {outcome.next_input!r:.200}; "
        "play(…, restarts=0) plays only the first run"
    )
    endless.outcome = replace(outcome, earlier=earlier[:-1])
    return endless
