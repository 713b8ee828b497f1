"""Verbs of a step in a thread that the step starts: they work in a copy of its context, and raise elsewhere."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest
import taxiway
from taxiway import Run, agent
from taxiway.testing import play


def in_thread(call: Callable[[], Any]) -> list[Any]:
    """Call in a new thread, and return the result or the exception."""
    came: list[Any] = []

    def target() -> None:
        try:
            came.append(call())
        except RuntimeError as error:
            came.append(str(error))

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    return came


@pytest.mark.parametrize(
    "verb",
    [
        taxiway.step_info,
        taxiway.cancelled,
        lambda: taxiway.emit("x"),
        lambda: taxiway.progress(1),
        lambda: taxiway.log("x"),
        taxiway.Grant("bank", "ann").token,
    ],
)
def test_a_verb_in_a_thread_of_a_step_says_to_copy_the_context(verb: Callable[[], Any]) -> None:
    def steps() -> list[Any]:
        return in_thread(verb)

    @agent
    def main(run: Run) -> Any:
        return run.step(steps)

    [sentence] = play(main).result
    assert "works inside a step only" in sentence
    assert "Thread(target=contextvars.copy_context().run, args=(function, …))" in sentence


def test_in_a_copy_of_the_step_s_context_it_knows_the_step() -> None:
    def steps() -> list[Any]:
        context = contextvars.copy_context()
        return in_thread(lambda: context.run(lambda: taxiway.step_info().name))

    @agent
    def main(run: Run) -> Any:
        return run.step(steps)

    assert play(main).result == ["steps"]


def test_in_the_agent_itself_the_run_is_named() -> None:
    @agent
    def main(run: Run) -> str:
        try:
            taxiway.log("x")
        except RuntimeError as error:
            return str(error)
        return ""

    assert play(main).result == "taxiway.log() works inside a step only; in the agent itself use its run"
