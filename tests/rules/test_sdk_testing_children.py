"""Children of a played run: played too if their agent is declared, or given."""

from __future__ import annotations

from typing import Any

import pytest
import taxiway
from taxiway import AsyncRun, ChildFailed, Run, agent
from taxiway.testing import Child, Endless, Unanswered, Unused, approve, child, play, signal


@taxiway.step(tool=True)
def look(at: str) -> str:
    return f"seen {at}"


@agent
def scout(run: Run, at: str) -> Any:
    run.sleep("1h")
    return [run.step(look, at), run.user_id]


@agent
def chief(run: Run, agents: list[str]) -> Any:
    began = run.approve("Begin?").at
    found = run.gather(*[run.spawn(name, {"at": str(n)}) for n, name in enumerate(agents)], return_errors=True)
    ended = run.approve("End?").at
    assert began is not None
    assert ended is not None
    said = [[one.status, (one.error or {}).get("message")] if isinstance(one, ChildFailed) else one for one in found]
    return [*said, (ended - began).total_seconds()]


BOTH = (approve("Begin?"), approve("End?"))


def test_a_declared_agent_is_played_as_a_child_on_the_clock_of_its_parent() -> None:
    outcome = play(chief, agents=["scout", "scout"], given=BOTH, user_id="u")
    assert outcome.result == [["seen 0", "u"], ["seen 1", "u"], 3600]
    assert outcome.slept == 3600, "they sleep side by side"
    assert [(one.agent, one.input, one.outcome and one.outcome.slept) for one in outcome.children] == [
        ("scout", {"at": "0"}, 3600),
        ("scout", {"at": "1"}, 3600),
    ]


def test_what_a_child_comes_to_may_be_given() -> None:
    given = [
        *BOTH,
        child("elsewhere", {"n": 1}, after="2h"),
        child("else*", error="no"),
        child("elsewhere", status="CANCELED"),
    ]
    outcome = play(chief, agents=["elsewhere"] * 3, given=given)
    assert outcome.result == [{"n": 1}, ["FAILED", "no"], ["CANCELED", None], 7200]
    assert [one.outcome and one.outcome.reason for one in outcome.children] == [None, "agent_error", "by_user"]


def test_a_given_end_comes_before_playing_the_agent() -> None:
    outcome = play(chief, agents=["scout", "scout"], given=[*BOTH, child("scout", "instead")])
    assert outcome.result[:2] == ["instead", ["seen 1", None]]


def test_a_child_that_nobody_knows_says_what_to_give() -> None:
    with pytest.raises(
        Unanswered, match=r"no end is given for agent 'elsewhere'; give child\('elsewhere', result=…\), or import"
    ):
        play(chief, agents=["elsewhere"], given=BOTH)
    with pytest.raises(Unused, match="took child"):
        play(chief, agents=["scout"], given=[*BOTH, child("scout"), child("scout")])


def test_an_end_that_cannot_be_is_refused() -> None:
    for options in ({"status": "PAUSED"}, {"status": "FAILED"}, {"error": "no", "status": "SUCCESS"}):
        with pytest.raises(ValueError, match="a child ends with a result"):
            child("scout", **options)  # type: ignore[arg-type]


@agent
def stuck(run: Run) -> Any:
    return run.wait_for("go")


@agent
def quick(run: Run) -> Any:
    return run.first(run.spawn(stuck), run.timer("1d")).index


@agent
def patient(run: Run) -> Any:
    return run.spawn(stuck).result()


def test_a_child_that_waits_for_somebody_is_an_error_only_where_its_parent_needs_it() -> None:
    outcome = play(quick)
    assert (outcome.result, outcome.slept, outcome.children) == (1, 86400, [Child("stuck", {}, None)])
    with pytest.raises(Unanswered, match=r"nobody answered 'go'; give signal\('go', …\)") as failure:
        play(patient)
    assert failure.value.outcome.children == [Child("stuck", {}, None)]
    assert play(patient, given=[signal("go", 7, after="3h")]).result == 7


@agent
async def hands_down(run: AsyncRun) -> Any:
    return await (await run.spawn(scout, {"at": "x"}))


def test_people_approve_the_tools_of_children_too() -> None:
    outcome = play(hands_down, approval_strategy="ON_TOOL_CALL", given=[approve(step="look")])
    assert outcome.result == ["seen x", None]
    assert outcome.asked == []
    [only] = outcome.children
    assert only.outcome is not None
    assert only.outcome.prompts == ["Call look?"]


@agent
def forgetful(run: Run) -> Any:
    run.map(scout, [{"at": "a"}, {"at": "b"}])
    if run.metadata.get("ask"):
        run.approve("Go on?")


def test_children_that_nobody_waits_for_are_played_unless_their_parent_is_canceled() -> None:
    outcome = play(forgetful)
    assert [one.outcome and one.outcome.status for one in outcome.children] == ["SUCCESS", "SUCCESS"]
    assert outcome.slept == 0


@agent
def endless(run: Run) -> Any:
    return run.gather(*run.map(scout, [{"at": str(n)} for n in range(500)]))[-1]


def test_many_children_are_no_burden() -> None:
    assert play(endless).result == ["seen 499", None]


@agent
def poll(run: Run, n: int = 0) -> Any:
    run.sleep("1h")
    if n == 3:
        return "done"
    return run.restart(n=n + 1)


@agent
def polls(run: Run) -> Any:
    return run.spawn("poll").result()


@agent
def for_ever(run: Run) -> Any:
    run.restart()


@agent
def has_one_for_ever(run: Run) -> Any:
    return run.spawn(for_ever).result()


def test_a_child_that_begins_anew_is_played_to_the_last() -> None:
    outcome = play(polls)
    assert (outcome.result, outcome.slept) == ("done", 4 * 3600)
    with pytest.raises(Endless, match="'for_ever' restarted 300 times"):
        play(has_one_for_ever)
