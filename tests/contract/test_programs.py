"""Generated async agents reach the same results, whatever happens to their hosts on the way.

`TAXIWAY_PROGRAMS=1000 pytest tests/contract/test_programs.py -s` tries so many, and prints how much was executed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from taxiway.host import replay_order
from taxiway.host.replay_order import Entry
from taxiway.host.task_paths import TaskPaths

from tests.contract.programs.checks import Figures, check, check_any_part
from tests.contract.programs.found import FOUND
from tests.contract.programs.node import Node
from tests.contract.programs.writing import chains, programs

MANY = int(os.environ.get("TAXIWAY_PROGRAMS", "40"))
ENOUGH = 200
"""Programs within which a broken rule must be found."""
# The same programs each time, so that only a change can make them fail; a long run uses new ones.
IS_LONG = "TAXIWAY_PROGRAMS" in os.environ
quickly = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=not IS_LONG)
searching = settings(
    quickly, max_examples=ENOUGH, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False
)


Check = Callable[[Node, int, Figures], None]


def _tried(check: Check, written: st.SearchStrategy[Node], said: settings) -> Figures:
    figures = Figures()

    @said
    @given(written, st.integers(0, 1 << 16))
    def any_program(program: Node, number: int) -> None:
        check(program, number, figures)

    any_program()
    return figures


@pytest.mark.timeout(100 * MANY)
def test_a_program_comes_to_the_same_whatever_becomes_of_its_hosts() -> None:
    began = time.monotonic()
    figures = _tried(check, programs(), settings(quickly, max_examples=MANY))
    sys.stdout.write(f"\n{figures} in {time.monotonic() - began:.0f} s\n")


@pytest.mark.parametrize("place", range(len(FOUND)))
def test_what_was_found_once_stays_mended(place: int) -> None:
    program, number = FOUND[place]
    check(program.labelled(), number, Figures())


def test_each_step_gets_its_own_value_whatever_part_of_the_records_is_there() -> None:
    _tried(check_any_part, chains(), settings(quickly, max_examples=MANY))


def test_a_key_without_the_path_of_the_task_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TaskPaths, "here", lambda paths: "0")
    with pytest.raises(AssertionError):
        _tried(check_any_part, chains(), searching)


def _by_key(past: Callable[..., list[Entry]]) -> Callable[..., list[Entry]]:
    return lambda *given: sorted(past(*given), key=lambda entry: (entry.keys, entry.gone))


def test_a_replay_that_is_not_in_the_order_of_the_records_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxiway.host.async_player.past", _by_key(replay_order.past))
    with pytest.raises(AssertionError):
        _tried(check, programs(), searching)
