"""Hosts killed at random points: every run resumes from its records."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.system.live import AGENTS, Live, effects_in, recorded_then_executed_again

RUNS, ITEMS = 20, 50
LONGEST = 0.8
"""Seconds after which a host is killed at the latest: by then the first activation has done all its steps and hangs."""


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "survivor.py"))) as live:
        yield live


class Killer:
    """Kills the host of every first activation once, at a random time after the agent began."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.due: dict[str, tuple[float, int]] = {}
        self.killed: set[str] = set()

    def step(self) -> bool:
        """Kill the hosts that are due; return whether all were killed."""
        now = time.monotonic()
        for run, lines in effects_in(self.log).items():
            if run not in self.due:
                self.due[run] = (now + random.uniform(0, LONGEST), lines[0]["pid"])
        for run, (at, pid) in self.due.items():
            if run not in self.killed and now >= at:
                assert "taxiway.host" in psutil.Process(pid).cmdline()
                os.kill(pid, signal.SIGKILL)
                self.killed.add(run)
        return len(self.killed) == RUNS


def test_runs_whose_hosts_are_killed_at_random_points_finish_and_repeat_no_recorded_step(
    live: Live, tmp_path: Path
) -> None:
    log = tmp_path / "effects"
    runs = live.enqueue_batch("survivor", [{"log": str(log), "items": ITEMS}] * RUNS)
    killer = Killer(log)
    live.until(killer.step, "the host of each run was killed once", 60, lambda: live.going(runs))
    ended = live.end_all(runs, 60)

    effects = effects_in(log)
    for run, shown in ended.items():
        assert shown["status"] == "SUCCESS", shown["error"]
        assert shown["result"] == [item * 2 + 1 for item in range(ITEMS)]
        assert (shown["activations"], shown["crashes"], shown["losses"]) == (2, 1, 0)
        assert shown["stepsTotal"] == 2 * ITEMS
        reasons = [event.get("reason") for event in live.events(run)]
        assert [reason for reason in reasons if reason] == ["host_lost"], "and no code_mismatch"
        assert recorded_then_executed_again(live, run, effects[run]) == set()

    begun = [line for lines in effects.values() for line in lines if line["what"] == "begin"]
    first, second = (sum(line["activation"] == n for line in begun) for n in (1, 2))
    assert first > 0
    assert second > 0, "the kills came while there was work left"
    replayed = RUNS * 2 * ITEMS - second
    assert replayed > 0, "and after something had been recorded"
