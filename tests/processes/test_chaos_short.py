"""The short form of `make chaos`: half a minute of load and faults, by a fixed seed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops.chaos.harness import Harness
from ops.chaos.plan import Plan, Result, short
from ops.chaos.report import summary

SEED, SECONDS = 7, 30


@pytest.fixture(scope="module")
def result(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return the result; the use of `stack` keeps other whole systems from running concurrently."""
    base = tmp_path_factory.mktemp("chaos")
    return Harness(short(Plan(SEED, SECONDS, base / "run"))).run()


@pytest.mark.timeout(240)
def test_no_promise_is_broken_whatever_strikes(result: Result) -> None:
    found = summary(result)
    incidents = "\n".join(json.dumps(incident) for incident in found["incidents"])
    wrong = "\n".join(json.dumps(violation) for violation in found["violations"])
    assert not wrong, f"{wrong}\n{incidents}\nlogs and effects: {result.plan.base}"
    assert result.rested_after is not None, "everything that was accepted has ended"


def test_there_was_something_to_break_and_something_that_broke_it(result: Result) -> None:
    found = summary(result)
    assert found["runs"]["SUCCESS"] > 10
    assert len({incident.fault for incident in result.journal.incidents}) >= 8
    assert all(incident.ended is not None for incident in result.journal.incidents)
