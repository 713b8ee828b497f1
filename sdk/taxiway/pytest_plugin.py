"""Fixture `taxiway_play`: `taxiway.testing.play`, whose outcomes a failing test shows.

pytest finds it by itself where taxiway is installed. Tests that do not ask for it load nothing else, and nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from taxiway.testing import Outcome

_PLAYED: Final = pytest.StashKey[list["Outcome"]]()


@pytest.fixture
def taxiway_play(request: pytest.FixtureRequest) -> Callable[..., Outcome]:
    """Play runs as `taxiway.testing.play` does; when the test fails, its report has a line for each of them."""
    from taxiway.testing import play  # noqa: PLC0415 - sessions that play nothing need not load it
    from taxiway.testing.errors import Misplayed  # noqa: PLC0415

    played: list[Outcome] = []
    request.node.stash[_PLAYED] = played

    @wraps(play)
    def noted(*args: Any, **kwargs: Any) -> Outcome:
        __tracebackhide__ = True
        try:
            outcome = play(*args, **kwargs)
        except Misplayed as problem:
            played.append(problem.outcome)
            raise
        played.append(outcome)
        return outcome

    return noted


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the runs that were played to the report of a failed test."""
    report = yield
    if report.failed and (played := item.stash.get(_PLAYED, [])):
        report.sections.append(("Taxiway runs played", "\n".join(map(repr, played))))
    return report
