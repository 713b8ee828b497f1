"""The run of an async agent that only waits is parked whatever its loop holds, and its deadlines outlive parks and hosts."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.beside import decide, noted, question, run_state, waits
from tests.system.live import AGENTS, Live, effects_in

PARK_AFTER = 0.5


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    env = {"TAXIWAY_PARK_AFTER": str(PARK_AFTER), "TAXIWAY_LEASE_SECONDS": "5"}
    with Live(stack(agents=str(AGENTS / "beside.py"), workers=1, slots=2, env=env)) as live:
        yield live


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "effects"


def _parked(live: Live, run: str) -> None:
    live.until(lambda: run_state(live, run)["status"] == "PAUSED", "it is parked", 10, lambda: run_state(live, run))
    assert not run_state(live, run)["leased"]


@pytest.mark.parametrize("agent", ["beside_heartbeat", "beside_socket"])
def test_a_run_that_rests_beside_something_is_parked_and_ends_well_once_it_is_decided(
    live: Live, log: Path, agent: str
) -> None:
    run = live.enqueue(agent, {"log": str(log)})
    wait = question(live, run)
    _parked(live, run)
    decide(live, wait["id"])
    ended = live.end(run)
    assert (ended["status"], ended["result"]) == ("SUCCESS", True)
    assert [one["id"] for one in waits(live, run) if one["kind"] == "approval"] == [wait["id"]], "it was asked once"
    assert (run_state(live, run)["activations"], run_state(live, run)["crashes"]) == (2, 0)


def test_a_deadline_of_the_agent_holds_across_a_kill_of_its_host_and_a_park(live: Live, log: Path) -> None:
    run = live.enqueue("in_time", {"log": str(log), "seconds": 5, "beats": True})
    question(live, run)
    os.kill(effects_in(log)[run][0]["pid"], signal.SIGKILL)
    live.until(lambda: len(noted(log, run, "awaits")) > 1, "it executes again")
    _parked(live, run)
    _is_late(live, log, run, 5)
    assert run_state(live, run)["crashes"] == 1


def test_a_deadline_of_the_agent_wakes_a_run_that_is_parked_at_once(live: Live, log: Path) -> None:
    run = live.enqueue("in_time", {"log": str(log), "seconds": 3})
    question(live, run)
    _parked(live, run)
    _is_late(live, log, run, 3)
    assert run_state(live, run)["activations"] == 2


def _is_late(live: Live, log: Path, run: str, seconds: float) -> None:
    live.until(lambda: run_state(live, run)["status"] == "SUCCESS", "it ends", 30, lambda: run_state(live, run))
    assert live.run(run)["result"] == "late"
    took = noted(log, run, "late")[0] - noted(log, run, "awaits")[0]
    assert seconds - 0.05 < took < seconds + 2
    assert [one["outcome"] for one in waits(live, run) if one["kind"] == "approval"] == ["withdrawn"]


def test_an_answer_in_time_to_a_parked_run_leaves_its_deadline_without_effect(live: Live, log: Path) -> None:
    run = live.enqueue("in_time", {"log": str(log), "seconds": 60})
    wait = question(live, run)
    _parked(live, run)
    decide(live, wait["id"])
    assert live.end(run)["result"] == "approved True"


def test_a_cancel_ends_a_parked_run_and_withdraws_what_it_asked(live: Live, log: Path) -> None:
    run = live.enqueue("in_time", {"log": str(log), "seconds": 60})
    question(live, run)
    _parked(live, run)
    assert live.cancel(run).status_code in (200, 202)
    assert live.end(run)["status"] == "CANCELED"
    assert {one["outcome"] for one in waits(live, run)} == {"withdrawn"}
