"""One suite on `taxiway.testing` and on real processes: the same agents with the same input have the same results."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from taxiway.testing import Outcome, Unanswered, play

from tests.conftest import ROOT, Servers
from tests.contract import agents, evasive, families, granted
from tests.contract.real import Real, named, traces
from tests.contract.scenarios import PAST_APPROVALS, SCENARIOS, Scenario, Seen
from tests.processes.fleet import Fleet, fleet_of

sys.path.insert(0, str(ROOT / "sdk" / "examples"))

import tool_loop

PLACES = (agents, evasive, families, granted, tool_loop)

each = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
each_past = pytest.mark.parametrize("scenario", PAST_APPROVALS, ids=lambda scenario: scenario.agent)


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("scenarios")
    files = ",".join(str(place.__file__) for place in PLACES)
    with fleet_of(servers, template_database, shared_folder, folder, TAXIWAY_AGENTS=files) as fleet:
        fleet.scheduler()
        fleet.worker("only", slots=3)
        yield fleet


@pytest.fixture(scope="module")
def real(fleet: Fleet) -> dict[str, Seen]:
    """Return the results of all scenarios, executed concurrently."""
    return Real(fleet, fleet.folder).perform(SCENARIOS)


def test_every_scenario_has_a_name_of_its_own() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


@each
def test_played_without_a_server(scenario: Scenario, tmp_path: Path) -> None:
    outcome = _play(scenario, tmp_path / "log")
    assert _seen(outcome, tmp_path / "log") == _sorted(scenario.seen)


@each
def test_executed_by_real_processes(scenario: Scenario, real: dict[str, Seen]) -> None:
    assert real[scenario.name] == _sorted(scenario.seen)


@each_past
def test_nothing_gets_past_an_approval_that_nobody_has_given_yet(
    scenario: Scenario, fleet: Fleet, tmp_path: Path
) -> None:
    played = Real(fleet, tmp_path).start(scenario)
    row = fleet.status(played.run, "PAUSED")
    assert (row["pause_kind"], row["reason"], row["lease_worker"]) == ("approval", "approval_needed", None)
    assert traces(played.log) == []
    assert fleet.verbs(played.run) == ["enqueue", "start", "await_approval"]
    fleet.cancel(played.run)


@each_past
def test_nothing_gets_past_an_approval_in_a_test_either(scenario: Scenario, tmp_path: Path) -> None:
    with pytest.raises(Unanswered, match=r"nobody answered 'Past this\?'") as failure:
        _play(replace(scenario, given=()), tmp_path / "log")
    outcome = failure.value.outcome
    assert (outcome.status, outcome.steps, outcome.activations) == ("PAUSED", [], 1)
    assert traces(tmp_path / "log") == []


def _play(scenario: Scenario, log: Path) -> Outcome:
    given = {**scenario.input, **({"log": str(log)} if scenario.log else {})}
    agent = next(getattr(place, scenario.agent) for place in PLACES if hasattr(place, scenario.agent))
    return play(agent, input=given, given=scenario.given, approval_strategy=scenario.strategy, restarts=0)


def _seen(outcome: Outcome, log: Path) -> Seen:
    error = outcome.error and f"{outcome.error.code} {outcome.error.type}"
    if outcome.reason == "code_mismatch":
        error = "code_mismatch"
    return Seen(
        outcome.status, outcome.returned, outcome.reason, error,
        sorted(named(step.name, step.status, step.attempts, step.approval) for step in outcome.steps),
        sorted((asked.prompt, str(asked.outcome)) for asked in outcome.asked),
        traces(log),
    )  # fmt: skip


def _sorted(seen: Seen) -> Seen:
    """Return the result sorted: simultaneous occurrences have no order."""
    return replace(seen, steps=sorted(seen.steps), asked=sorted(seen.asked), effects=list(seen.effects))
