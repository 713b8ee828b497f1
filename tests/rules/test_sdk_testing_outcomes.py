"""The content of an outcome of `play`: chains of runs, failures, and what was given and not used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import taxiway
from taxiway import Run, agent
from taxiway.testing import (
    Endless,
    Unanswered,
    Unused,
    approve,
    child,
    play,
    signal,
)


@agent
def poll(run: Run, n: int = 0) -> Any:
    seen = run.wait_for("news", timeout="1h") if n else None
    run.sleep("1h")
    if n < 3:
        run.restart(n=n + 1)
    return seen


def test_a_run_that_begins_anew_is_played_to_the_last_that_takes_over() -> None:
    outcome = play(poll, given=[signal("news", n) for n in range(3)])
    assert (outcome.result, outcome.slept, outcome.next_input) == (2, 4 * 3600, None)
    assert [(run.status, run.next_input, run.slept) for run in outcome.earlier] == [
        ("SUCCESS", {"n": 1}, 3600), ("SUCCESS", {"n": 2}, 3600), ("SUCCESS", {"n": 3}, 3600)
    ]  # fmt: skip
    assert outcome.runs == [*outcome.earlier, outcome]
    first = play(poll, restarts=0)
    assert (first.status, first.next_input, first.earlier) == ("SUCCESS", {"n": 1}, ())
    assert play(poll, restarts=1, given=[signal("news")]).next_input == {"n": 2}
    late = play(poll, given=[signal("news", 1, after="90m"), *[signal("news", after="150m")] * 2])
    assert late.slept == 5 * 3600 - 1800, "a signal comes so long after the first of them began"


def test_a_chain_of_runs_without_an_end_says_how_to_look_at_one() -> None:
    @agent
    def for_ever(run: Run, n: int = 0) -> Any:
        run.restart(n=n + 1)

    with pytest.raises(
        Endless, match=r"'for_ever' restarted 300 times and continues, now with {'n': 300}; play\(…, restarts=0\)"
    ) as caught:
        play(for_ever)
    assert len(caught.value.outcome.runs) == 300


def test_a_later_run_that_nobody_answers_shows_those_before_it() -> None:
    @agent
    def asks(run: Run, n: int = 0) -> Any:
        if n == 0:
            run.restart(n=1)
        run.approve("Go on?")

    with pytest.raises(Unanswered, match="nobody answered 'Go on\\?'") as caught:
        play(asks)
    assert len(caught.value.outcome.earlier) == 1


def charge_twice(amount: int) -> str:
    if amount < 0:
        raise ValueError("negative amount")
    return "paid"


@agent
def shop(run: Run, amount: int) -> Any:
    run.approve("Begin?")
    run.emit("seen", amount)
    run.emit("seen", amount)
    run.using(retry=taxiway.Retry(attempts=2, initial=0)).step(charge_twice, amount)
    run.approve("End?")
    return {"paid": amount}


def test_what_was_not_used_by_a_failed_run_shows_first_why_it_failed() -> None:
    with pytest.raises(Unused) as caught:
        play(shop, amount=-1, given=[approve("Begin?"), approve("End?")])
    said = str(caught.value)
    assert said.startswith(
        "the run is FAILED (step_error): ValueError: negative amount, in step 'charge_twice' after 2 attempts, at "
    )
    assert re.search(
        r"test_sdk_testing_outcomes\.py:\d+; so no wait of the run took approve\('End\?'\); it waited for 'Begin\?'",
        said,
    )
    assert said.endswith("ValueError: negative amount\n")
    assert caught.value.outcome.unused == ("approve('End?')",)
    assert "; unused: approve('End?'); asked: 'Begin?' approved; " in repr(caught.value.outcome)


def test_an_outcome_reads_well_in_a_failing_assert() -> None:
    good = play(shop, amount=3, given=[approve("Begin?"), approve("End?", after="1h")])
    assert repr(good) == (
        "<Outcome SUCCESS: {'paid': 3}; asked: 'Begin?' approved, 'End?' approved; "
        "steps: charge_twice; events: seen (4); slept 3600 s>"
    )
    failed = repr(play(shop, amount=-1, given=[approve("Begin?")]))
    assert re.match(
        r"<Outcome FAILED \(step_error\): ValueError: negative amount, in step 'charge_twice' after 2 attempts, "
        r"at \S+test_sdk_testing_outcomes\.py:\d+; asked: 'Begin\?' approved; steps: charge_twice failed; events: seen \(2\)>",
        failed,
    ), failed
    assert repr(play(poll, restarts=0)) == "<Outcome SUCCESS, restarted with {'n': 1}; slept 3600 s>"
    parent = play(spawning, given=[child("elsewhere", 1)])
    assert repr(parent).endswith("children: elsewhere SUCCESS>")


@agent
def spawning(run: Run) -> Any:
    return run.spawn("elsewhere").result()


def test_the_example_of_the_documentation_works_as_it_is_printed() -> None:
    def charge(order_id: str, amount: float) -> str:
        raise AssertionError("nobody pays in a test")

    @agent
    def refund(run: Run, order_id: str, amount: float) -> Any:
        run.approve(f"Refund {amount}?", choices=["card", "voucher"])
        run.ask("Where to?", dict[str, str])
        run.wait_for("paid", timeout="1d")
        return run.step(charge, order_id, amount)

    text = (Path(taxiway.__file__).parents[1] / "README.md").read_text()
    [code] = re.findall(r"```python\n(from taxiway\.testing import.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {"refund": refund, "charge": charge}
    exec(code, names)
    names["test_a_refund_is_paid_once_it_was_approved"]()
