"""Mistakes of beginners, live: each ends in a sentence with file and line, and no unapproved step executes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.agents import mistakes
from tests.system.beside import decide, question, waits
from tests.system.explaining import explained
from tests.system.live import AGENTS, Live
from tests.system.mistaken import FAILURES, place


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "mistakes.py"), workers=1, slots=2)) as live:
        yield live


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of the file of effects."""
    (tmp_path / "log").touch()
    return tmp_path / "log"


def _parked_at_a_question(live: Live, agent: str, log: Path) -> str:
    run = live.enqueue(agent, {"log": str(log)})
    wait = question(live, run)
    live.until(lambda: live.run(run)["status"] == "PAUSED", "it is parked", 30, lambda: live.run(run))
    decide(live, wait["id"])
    return run


def test_every_mistake_fails_its_run_with_its_place_and_nothing_behind_it_is_done(live: Live, tmp_path: Path) -> None:
    logs = {name: tmp_path / name for name in FAILURES}
    for log in logs.values():
        log.touch()
    runs = {name: live.enqueue(name, {"log": str(log)}) for name, log in logs.items()}
    ended = live.end_all(list(runs.values()), 60)
    for name, failure in FAILURES.items():
        run = ended[runs[name]]
        assert (run["status"], run["reason"]) == ("FAILED", failure.code), (name, run)
        error = run["error"]
        assert (error["code"], error.get("step")) == (failure.code, failure.step), name
        assert failure.says in error["message"], name
        assert failure.at in error["message"] + _log(live, runs[name]).replace('", line ', ":"), (name, error)
        assert logs[name].read_text().split() == list(failure.done), name
        assert waits(live, runs[name]) == [], f"{name}: nobody is asked"
        assert run["crashes"] == 0, name


def _log(live: Live, run: str) -> str:
    return "\n".join(line["message"] for line in live.http.get(f"/v1/runs/{run}/logs").json()["logs"])


@pytest.mark.parametrize("agent", ["pays", "pays_too"])
def test_a_plain_call_of_a_step_is_recorded_and_executed_once_across_a_park(live: Live, log: Path, agent: str) -> None:
    run = _parked_at_a_question(live, agent, log)
    ended = live.end(run)
    assert (ended["status"], ended["result"], ended["activations"]) == ("SUCCESS", 6, 2)
    assert log.read_text().splitlines() == ["charged 1", "charged 2"]
    steps = live.http.get(f"/v1/runs/{run}/steps").json()["steps"]
    assert [(step["name"], step["status"]) for step in steps] == [(steps[0]["name"], "succeeded")] * 2


def test_values_without_an_annotation_are_after_a_park_what_they_were(live: Live, log: Path) -> None:
    ended = live.end(_parked_at_a_question(live, "keeps", log))
    assert ended["result"] == repr([mistakes.load("/dev/null")] * 2)  # type: ignore[no-untyped-call]
    assert log.read_text().split() == ["loaded"] * 2


@pytest.mark.parametrize("agent", ["drifts", "drifts_too"])
def test_a_step_with_other_arguments_parks_the_run_and_shows_both_and_its_place(
    live: Live, log: Path, agent: str
) -> None:
    message = _mismatch(live, _parked_at_a_question(live, agent, log))
    assert place(getattr(mistakes, agent), "run.step") in message
    [charged] = log.read_text().splitlines()
    amounts = re.findall(r"amount=(\d+)\)", message)
    assert len(set(amounts)) == 2
    assert f"charged {amounts[1]}" == charged


@pytest.mark.parametrize("agent", ["drifts_in_a_prompt", "drifts_in_a_prompt_too"])
def test_another_question_parks_the_run_and_shows_both_and_its_place(live: Live, log: Path, agent: str) -> None:
    run = _parked_at_a_question(live, agent, log)
    message = _mismatch(live, run)
    assert place(getattr(mistakes, agent), "run.approve") in message
    prompts = re.findall(r"approval '(Pay \w+\?)'", message)
    asked = str([event for event in live.events(run) if event["event"] == "run_approval"])
    assert prompts[1] in asked
    assert prompts[0] not in asked
    assert log.read_text() == ""


def _mismatch(live: Live, run: str) -> str:
    live.until(lambda: live.run(run)["reason"] == "code_mismatch", "it is parked again", 30, lambda: live.run(run))
    [wait] = live.run(run)["pause"]["waits"]
    message: str = wait["message"]
    assert message.startswith("the agent's code has changed under the run, or is not deterministic: at ")
    [blocker] = explained(live, run)["blockers"]
    assert message in blocker["detail"]
    live.until(lambda: message in _log(live, run), "its log says it too")
    assert live.cancel(run).status_code == 200
    return message


@pytest.mark.parametrize("agent", ["reads", "reads_too"])
def test_children_give_what_their_agent_is_annotated_to_return(live: Live, agent: str) -> None:
    run = live.enqueue(agent, {"log": ""})
    assert live.end_all([run], 30)[run]["result"] == "[Page(url='/a', words=2), Page(url='/bc', words=3)]"


@pytest.mark.parametrize("agent", ["corrects", "corrects_too"])
def test_a_signal_with_a_schema_gives_its_type(live: Live, agent: str) -> None:
    run = live.enqueue(agent, {"log": ""})
    answer = live.http.post(f"/v1/runs/{run}/signals/corrected", json={"payload": {"url": "/", "words": 7}})
    assert answer.status_code in (200, 202), answer.text
    assert live.end_all([run], 30)[run]["result"] == "Page(url='/', words=7)"
