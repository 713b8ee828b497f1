"""Mistakes of beginners, played: each ends in a sentence with file and line, and no unapproved step executes."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from taxiway.testing import approve, play, signal

from tests.system.agents import mistakes
from tests.system.mistaken import FAILURES, place


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of the file of effects."""
    (tmp_path / "log").touch()
    return tmp_path / "log"


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("name", FAILURES)
def test_a_mistake_fails_the_run_with_its_place_and_nothing_behind_it_is_done(
    name: str, log: Path, *, crash: bool
) -> None:
    failure = FAILURES[name]
    outcome = play(getattr(mistakes, name), log=str(log), crash_after_each_step=crash)
    error = outcome.error
    assert error is not None
    assert (outcome.status, error.code, error.step) == ("FAILED", failure.code, failure.step)
    assert failure.says in error.message
    assert failure.at in error.message + (error.traceback or "").replace('", line ', ":")
    assert outcome.asked == []
    assert log.read_text().split() == list(failure.done)


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("agent", [mistakes.pays, mistakes.pays_too])
def test_a_plain_call_of_a_step_is_the_step_across_a_park_and_a_crash(agent: Any, log: Path, *, crash: bool) -> None:
    outcome = play(agent, log=str(log), given=[approve("Go on?")], crash_after_each_step=crash)
    assert outcome.result == 6
    assert log.read_text().splitlines() == ["charged 1", "charged 2"]
    assert [(step.status, step.value) for step in outcome.steps] == [("succeeded", 2), ("succeeded", 4)]
    assert outcome.activations > 1


def test_values_without_an_annotation_are_after_a_park_what_they_were(log: Path) -> None:
    outcome = play(mistakes.keeps, log=str(log), given=[approve("Go on?")])
    assert outcome.result == repr([mistakes.load("/dev/null")] * 2)  # type: ignore[no-untyped-call]
    assert log.read_text().split() == ["loaded"] * 2


@pytest.mark.parametrize("agent", [mistakes.drifts, mistakes.drifts_too])
def test_a_step_with_other_arguments_after_a_park_shows_both_and_its_place(agent: Any, log: Path) -> None:
    outcome = play(agent, log=str(log), given=[approve("Go on?")])
    assert (outcome.status, outcome.reason) == ("PAUSED", "code_mismatch")
    assert outcome.error is not None
    assert outcome.error.message.startswith("the agent's code has changed under the run, or is not deterministic: at ")
    assert place(agent, "run.step") in outcome.error.message
    [charged] = log.read_text().splitlines()
    amounts = re.findall(r"amount=(\d+)\)", outcome.error.message)
    assert len(set(amounts)) == 2
    assert f"charged {amounts[1]}" == charged


@pytest.mark.parametrize("agent", [mistakes.drifts_in_a_prompt, mistakes.drifts_in_a_prompt_too])
def test_another_question_after_a_park_shows_both_and_its_place(agent: Any, log: Path) -> None:
    outcome = play(agent, log=str(log), given=[approve("Pay *")])
    assert (outcome.status, outcome.reason) == ("PAUSED", "code_mismatch")
    assert outcome.error is not None
    assert place(agent, "run.approve") in outcome.error.message
    prompts = re.findall(r"approval '(Pay \w+\?)'", outcome.error.message)
    assert prompts[1:] == outcome.prompts
    assert prompts[0] != prompts[1]
    assert log.read_text() == ""


@pytest.mark.parametrize("agent", [mistakes.reads, mistakes.reads_too])
def test_children_give_what_their_agent_is_annotated_to_return(agent: Any) -> None:
    assert play(agent, log="").result == "[Page(url='/a', words=2), Page(url='/bc', words=3)]"


@pytest.mark.parametrize("agent", [mistakes.corrects, mistakes.corrects_too])
def test_a_signal_with_a_schema_gives_its_type(agent: Any) -> None:
    given = [signal("corrected", {"url": "/", "words": 7})]
    assert play(agent, log="", given=given).result == "Page(url='/', words=7)"


@pytest.mark.parametrize(
    ("source", "says", "line"),
    [
        ("class Desk:\n    @agent\n    def main(self, run): ...", "agent Desk.main is a method", 3),
        ("class Desk:\n    @agent\n    async def main(cls, run): ...", "agent Desk.main is a method", 3),
        ("\n@agent\ndef main(*args): ...", "agent main needs a first parameter", 3),
        ("\n@agent\ndef main(run, *args): ...", r"agent main: input \*args must be accepted by name", 3),
        ("\n@agent(timeout='banana')\ndef main(run): ...", "agent main: timeout: 'banana' is no duration", 3),
        ("\n@step(timeout='banana')\ndef work(): ...", "'banana' is no duration", 3),
        ("\n@step(on_deny='explode')\ndef work(): ...", "on_deny is one of cancel, fail, raise, not 'explode'", 3),
    ],
)
def test_what_cannot_be_declared_is_refused_when_a_test_imports_it(
    source: str, says: str, line: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "refused_agents.py"
    file.write_text(f"from taxiway import agent, step\n{source}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises((TypeError, ValueError), match=says) as caught:
        importlib.import_module("refused_agents")
    assert [entry.lineno + 1 for entry in caught.traceback if str(entry.path) == str(file)][-1:] == [line]
