"""The end of a run names the steps with which its code undid something, whatever ended it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.beside import decide, question
from tests.system.live import AGENTS, Live


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "cleaning.py"), workers=1, slots=2)) as live:
        yield live


def _end(live: Live, run: str) -> dict[str, Any]:
    live.end_all([run], 30)
    return live.events(run)[-1]


def _released(live: Live, run: str) -> int:
    steps = live.http.get(f"/v1/runs/{run}/steps").json()["steps"]
    return [(step["name"], step["status"]) for step in steps].count(("release", "succeeded"))


@pytest.mark.parametrize("agent", ["holds", "holds_too"])
def test_the_end_of_a_canceled_run_names_its_cleanup_steps(live: Live, tmp_path: Path, agent: str) -> None:
    file = tmp_path / "held"
    run = live.enqueue(agent, {"file": str(file)})
    live.until(file.exists, "it holds what it booked", 30, lambda: live.run(run))
    assert live.cancel(run).status_code == 202
    end = _end(live, run)
    assert (end["event"], end["runStatus"], end["reason"]) == ("end", "CANCELED", "by_user")
    assert end["cleanup"] == ["release", "release"]
    assert _released(live, run) == 2


@pytest.mark.parametrize("agent", ["holds", "holds_too"])
def test_so_does_that_of_a_run_whose_time_is_over(live: Live, tmp_path: Path, agent: str) -> None:
    run = live.enqueue(agent, {"file": str(tmp_path / "held")}, timeout="PT1S")
    end = _end(live, run)
    assert (end["runStatus"], end["reason"], end["cleanup"]) == ("FAILED", "timeout", ["release", "release"])
    assert _released(live, run) == 2


@pytest.mark.parametrize("agent", ["fails", "fails_too"])
def test_so_does_that_of_a_run_that_fails_by_itself(live: Live, agent: str) -> None:
    run = live.enqueue(agent)
    end = _end(live, run)
    assert (end["runStatus"], end["reason"], end["cleanup"]) == ("FAILED", "step_error", ["release"])
    assert _released(live, run) == 1


def test_so_does_that_of_a_run_that_was_denied(live: Live) -> None:
    run = live.enqueue("is_denied")
    decide(live, question(live, run)["id"], "deny")
    end = _end(live, run)
    assert (end["runStatus"], end["reason"], end["cleanup"]) == ("FAILED", "denied", ["release"])
