"""Agents that do anything, in any order: each step happens once, and a deterministic run fits its records."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from taxiway.testing import Given, Outcome, Unused, approve, deny, play, signal

from tests.conftest import Servers
from tests.contract import scripted
from tests.contract.real import Real, named, traces
from tests.contract.scenarios import Scenario, Seen
from tests.processes.fleet import fleet_of

PROMPTS, NAMES = ("One?", "Two?"), ("one", "two")
POLICIES = ("cancel", "fail", "raise", "return")
SOON, NEVER = 0.2, 3600.0
SCRIPTS = 20
AGENTS = ("scripted", "scripted_async")


class Author:
    """Random author of scripts. With a `timeout` of NEVER, nothing in them depends on speed.

    Those for tasks `side_by_side` contain no refusal that ends the run immediately: the progress of the others is open then.
    """

    def __init__(self, seed: int, timeout: float, *, side_by_side: bool = False) -> None:
        self._chance = random.Random(seed)
        self._timeout = timeout
        self._policies = POLICIES[2:] if side_by_side else POLICIES
        self._together = ("together", "group") if side_by_side else ()
        self._names = (f"s{n}" for n in itertools.count())

    def script(self, depth: int = 1) -> list[Any]:
        return [self._op(depth) for _ in range(self._chance.randint(1, 5))]

    def given(self) -> list[Given]:
        """Return decisions and signals, all of which arrive immediately."""
        sure = self._timeout == NEVER
        tools = [self._decision(step="tool") for _ in range(20)]
        decisions = [
            self._decision(prompt) for prompt in PROMPTS for _ in range(20 if sure else self._chance.randint(0, 2))
        ]
        signals = [signal(name, n) for name in NAMES for n in range(20 if sure else self._chance.randint(0, 2))]
        return [*tools, *decisions, *signals]

    def _decision(self, prompt: str = "*", step: str | None = None) -> Given:
        return self._chance.choice((approve, deny))(prompt, step=step)

    def _op(self, depth: int) -> list[Any]:
        inner = depth == 0 and self._timeout == NEVER  # the author of decisions about children is not part of it
        kinds = (
            ("step", "stumble", "fail", "sleep")
            if inner
            else ("step", "stumble", "fail", "tool", "wait", "first", "gather", "child", *self._together)
        )
        match self._chance.choice(kinds):
            case "tool":
                return [
                    "tool",
                    next(self._names),
                    self._chance.choice([one for one in self._policies if one != "return"]),
                ]
            case "wait":
                return self._wait("sleep", "signal", "approve")
            case "sleep":
                return self._wait("sleep")
            case "gather":
                return ["gather", [self._wait("sleep", "signal", "approve") for _ in range(self._chance.randint(1, 3))]]
            case "first":
                kind = () if self._timeout == NEVER else ("sleep",)
                return ["first", [self._wait("signal", "approve", *kind) for _ in range(self._chance.randint(1, 3))]]
            case "child":
                return ["child", self.script(depth - 1)] if depth else ["step", next(self._names)]
            case ("together" | "group") as kind:
                together, self._together = self._together, ()
                tasks = [self._op(depth) for _ in range(self._chance.randint(2, 4))]
                self._together = together
                return [kind, tasks]
            case kind:
                return [kind, next(self._names)]

    def _wait(self, *kinds: str) -> list[Any]:
        match self._chance.choice(kinds):
            case "sleep":
                return ["sleep", self._chance.choice((0, 0.05))]
            case "signal":
                return ["signal", self._chance.choice(NAMES), self._timeout]
        return ["approve", self._chance.choice(PROMPTS), self._chance.choice(self._policies), self._timeout]


def _play(agent: str, script: list[Any], given: list[Given], log: Path, strategy: str) -> Outcome:
    try:
        return play(getattr(scripted, agent), log=str(log), script=script, given=given, approval_strategy=strategy)
    except Unused as unused:
        return unused.outcome


@settings(max_examples=100)
@drawn(st.integers(0, 10**9), st.sampled_from(["NONE", "ON_TOOL_CALL"]), st.sampled_from(AGENTS))
def test_any_script_fits_its_records_and_executes_each_step_once(seed: int, strategy: str, agent: str) -> None:
    author = Author(seed, SOON, side_by_side=agent == "scripted_async")
    script, given = author.script(), author.given()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        outcome = _play(agent, script, given, log, strategy)
        assert outcome.status in ("SUCCESS", "FAILED", "CANCELED")
        done = Counter(traces(log))
    stumbled = {op[1] for op in _flat(script) if op[0] == "stumble"}
    assert all(count == (2 if what in stumbled else 1) for what, count in done.items()), done
    with tempfile.TemporaryDirectory() as folder:
        again = _play(agent, script, given, Path(folder) / "log", strategy)
    assert (again.status, again.returned, again.activations) == (outcome.status, outcome.returned, outcome.activations)


def _flat(script: list[Any]) -> Iterator[list[Any]]:
    for op in script:
        yield op
        if op[0] in ("child", "together", "group"):
            yield from _flat(op[1])


def test_scripts_come_to_the_same_without_a_server_and_on_real_processes(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path: Path
) -> None:
    scenarios = [_scenario(seed, agent) for seed in range(SCRIPTS) for agent in AGENTS]
    played = {one.name: _seen(one, tmp_path / one.name) for one in scenarios}
    file = scripted.__file__
    with fleet_of(servers, template_database, shared_folder, tmp_path, TAXIWAY_AGENTS=file) as fleet:
        fleet.scheduler()
        fleet.worker("only", slots=4)
        real = Real(fleet, tmp_path).perform(scenarios)
    for one in scenarios:
        seen = real[one.name]
        assert (seen.status, seen.reason, seen.error, seen.result) == played[one.name][:4], one.input
        assert (seen.steps, sorted(seen.effects)) == played[one.name][4:], one.input
    assert {seen.status for seen in real.values()} == {"SUCCESS", "FAILED", "CANCELED"}, "they are not all alike"


def _scenario(seed: int, agent: str) -> Scenario:
    author = Author(seed, NEVER, side_by_side=agent == "scripted_async")
    strategy = ("NONE", "ON_TOOL_CALL")[seed % 2]
    name, given, script = f"{agent} {seed}", author.given(), {"script": author.script()}
    return Scenario(name, agent, Seen(""), given, script, log=True, strategy=strategy)


def _seen(one: Scenario, log: Path) -> tuple[Any, ...]:
    outcome = _play(one.agent, one.input["script"], list(one.given), log, one.strategy)
    error = outcome.error and f"{outcome.error.code} {outcome.error.type}"
    steps = sorted(named(step.name, step.status, step.attempts, step.approval) for step in outcome.steps)
    return outcome.status, outcome.reason, error, outcome.returned, steps, sorted(traces(log))
