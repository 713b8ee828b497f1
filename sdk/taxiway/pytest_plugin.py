"""Pytest plugin: the fixture `taxiway_play`, and the runs that a failed test has played in its report.

pytest loads it wherever taxiway is installed. For tests that play no runs it loads nothing else and changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections import deque

    from taxiway.testing import Outcome

_NOTED: Final = "taxiway.testing.noted"


@pytest.fixture
def taxiway_play() -> Callable[..., Outcome]:
    """Return `taxiway.testing.play`, which plays runs."""
    from taxiway.testing import play  # noqa: PLC0415 - sessions without played runs need not load it

    return play


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget the runs of the previous test."""
    _noted().clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[Any]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the runs that were played to the report of a failed test."""
    report = yield
    if report.failed and call.when != "teardown" and (played := _noted()):
        report.sections.append(("Taxiway runs played", "\n".join(map(repr, played))))
    return report


def _noted() -> deque[Outcome] | list[Outcome]:
    return sys.modules[_NOTED].NOTED if _NOTED in sys.modules else []
