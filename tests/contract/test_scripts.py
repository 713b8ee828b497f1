"""Agents that do anything, in any order: each step happens once, and a run that is the same every time fits its records."""

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
SOON, NEVER = 0.2, 60.0
SCRIPTS = 60


class Author:
    """Writes scripts by chance. With a `timeout` of NEVER nothing in them depends on who is faster."""

    def __init__(self, seed: int, timeout: float) -> None:
        self._chance = random.Random(seed)
        self._timeout = timeout
        self._names = (f"s{n}" for n in itertools.count())

    def script(self, depth: int = 1) -> list[Any]:
        return [self._op(depth) for _ in range(self._chance.randint(1, 5))]

    def given(self) -> list[Given]:
        """What is given comes at once, wherever it is waited for."""
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
        inner = depth == 0 and self._timeout == NEVER  # who decides about children is not part of it
        kinds = (
            ("step", "stumble", "fail", "sleep")
            if inner
            else ("step", "stumble", "fail", "tool", "wait", "first", "gather", "child")
        )
        match self._chance.choice(kinds):
            case "tool":
                return ["tool", next(self._names), self._chance.choice(POLICIES[:3])]
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
            case kind:
                return [kind, next(self._names)]

    def _wait(self, *kinds: str) -> list[Any]:
        match self._chance.choice(kinds):
            case "sleep":
                return ["sleep", self._chance.choice((0, 0.05))]
            case "signal":
                return ["signal", self._chance.choice(NAMES), self._timeout]
        return ["approve", self._chance.choice(PROMPTS), self._chance.choice(POLICIES), self._timeout]


def _play(script: list[Any], given: list[Given], log: Path, strategy: str) -> Outcome:
    try:
        return play(scripted.scripted, log=str(log), script=script, given=given, approval_strategy=strategy)
    except Unused as unused:
        return unused.outcome


@settings(max_examples=150)
@drawn(st.integers(0, 10**9), st.sampled_from(["NONE", "ON_TOOL_CALL"]))
def test_any_script_fits_its_records_and_executes_each_step_once(seed: int, strategy: str) -> None:
    author = Author(seed, SOON)
    script, given = author.script(), author.given()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        outcome = _play(script, given, log, strategy)
        assert outcome.status in ("SUCCESS", "FAILED", "CANCELED")
        done = Counter(traces(log))
    stumbled = {op[1] for op in _flat(script) if op[0] == "stumble"}
    assert all(count == (2 if what in stumbled else 1) for what, count in done.items()), done
    with tempfile.TemporaryDirectory() as folder:
        again = _play(script, given, Path(folder) / "log", strategy)
    assert (again.status, again.returned, again.activations) == (outcome.status, outcome.returned, outcome.activations)


def _flat(script: list[Any]) -> Iterator[list[Any]]:
    for op in script:
        yield op
        if op[0] == "child":
            yield from _flat(op[1])


def test_scripts_come_to_the_same_without_a_server_and_on_real_processes(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path: Path
) -> None:
    authors = [Author(seed, NEVER) for seed in range(SCRIPTS)]
    scenarios = [
        Scenario(
            f"script {n}", "scripted", Seen(""), author.given(), {"script": author.script()}, log=True,
            strategy=("NONE", "ON_TOOL_CALL")[n % 2],
        )
        for n, author in enumerate(authors)
    ]  # fmt: skip
    played = {one.name: _seen(one, tmp_path / one.name) for one in scenarios}
    agents = {"TAXIWAY_AGENTS": scripted.__file__}
    with fleet_of(servers, template_database, shared_folder, tmp_path, **agents) as fleet:
        fleet.scheduler()
        fleet.worker("only", slots=4)
        real = Real(fleet, tmp_path).perform(scenarios)
    for one in scenarios:
        seen = real[one.name]
        assert (seen.status, seen.reason, seen.error, seen.result) == played[one.name][:4], one.input
        assert (seen.steps, seen.effects) == played[one.name][4:], one.input
    assert {seen.status for seen in real.values()} == {"SUCCESS", "FAILED", "CANCELED"}, "they are not all alike"


def _seen(one: Scenario, log: Path) -> tuple[Any, ...]:
    outcome = _play(one.input["script"], list(one.given), log, one.strategy)
    error = outcome.error and f"{outcome.error.code} {outcome.error.type}"
    steps = sorted(named(step.name, step.status, step.attempts, step.approval) for step in outcome.steps)
    return outcome.status, outcome.reason, error, outcome.returned, steps, traces(log)
