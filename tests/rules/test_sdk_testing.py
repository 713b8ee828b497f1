"""How a test of an agent reads: what may be given, what is refused, and what it says when the two are at odds."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import taxiway
from taxiway import AsyncRun, Retry, Run, StepFailed, agent
from taxiway.errors import InvalidValue
from taxiway.testing import (
    Asked,
    Endless,
    Event,
    Refused,
    Step,
    Unanswered,
    Unused,
    answer,
    approve,
    child,
    deny,
    expire,
    play,
    resume,
    signal,
)


@dataclass
class Address:
    street: str
    number: int


def charge(order_id: str, amount: float) -> str:
    raise AssertionError("nobody pays in a test")


@agent
def refund(run: Run, order_id: str, amount: float) -> Any:
    decision = run.approve(f"Refund {amount:g}?", details={"order": order_id}, choices=["card", "cash"])
    address = run.ask("Where to?", Address)
    paid = run.wait_for("paid", timeout="3h", schema=dict[str, int])
    run.sleep("2d")
    return [decision.choice, address.street, paid, run.step(charge, order_id, amount), run.user_id, run.metadata["k"]]


GIVEN = [approve("Refund*", choice="card"), answer("Where*", Address("Elm", 7)), signal("paid", {"n": 1}, after="1h")]


def test_a_run_is_played_to_its_end_and_tells_all_that_it_did() -> None:
    outcome = play(
        refund, order_id="A7", amount=120.0, given=GIVEN, stub={charge: lambda order_id, amount: f"{order_id} ok"},
        user_id="u1", metadata={"k": "v"},
    )  # fmt: skip
    assert (outcome.status, outcome.reason, outcome.error) == ("SUCCESS", None, None)
    assert outcome.result == ["card", "Elm", {"n": 1}, "A7 ok", "u1", "v"]
    assert outcome.slept == (1 + 48) * 3600
    assert outcome.activations == 5
    assert outcome.steps == [Step("charge", "succeeded", 1, "A7 ok", key=outcome.steps[0].key)]
    assert outcome.prompts == ["Refund 120?", "Where to?"]
    assert outcome.asked[0] == Asked(
        "Refund 120?", {"order": "A7"}, ["card", "cash"], outcome="approved", answer="card", by="test"
    )
    assert outcome.asked[1].answer == {"street": "Elm", "number": 7}


def test_what_is_asked_without_an_answer_says_what_to_give() -> None:
    with pytest.raises(Unanswered) as failure:
        play(refund, order_id="A7", amount=120.0, given=[approve("Refnd*")])
    assert str(failure.value) == (
        "nobody answered 'Refund 120?'; give approve('Refund 120?') or deny('Refund 120?'), or expire('Refund 120?') to let its "
        "time run out. Not used so far: approve('Refnd*')."
    )
    assert (failure.value.outcome.status, failure.value.outcome.prompts) == ("PAUSED", ["Refund 120?"])
    with pytest.raises(Unanswered, match=r"give answer\('Where to\?', …\)"):
        play(refund, order_id="A7", amount=120.0, given=[GIVEN[0], approve("Where*")])


def test_what_is_given_in_vain_is_an_error_that_says_what_was_waited_for() -> None:
    with pytest.raises(
        Unused, match=r"took approve\('Where\*'\); it waited for 'Refund 120\?', and is CANCELED"
    ) as failure:
        play(refund, order_id="A7", amount=120.0, given=[deny("Refund*"), approve("Where*")])
    assert failure.value.outcome.reason == "denied"
    with pytest.raises(Unused, match="took approve"):
        play(refund, order_id="A7", amount=1.0, given=[deny(), approve("Refund*")])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([approve("Refund*", choice="bank")], r"has no choice 'bank'; its choices are: 'card', 'cash'"),
        ([approve("Refund*")], r"needs a choice, one of: 'card', 'cash'"),
        ([GIVEN[0], answer("Where*", {"street": "Elm"})], r"no answer to 'Where to\?': \$\.number: is missing"),
        ([*GIVEN[:2], signal("paid", "much", after="1m")], r"no answer to 'paid': \$: expected an object"),
    ],
)
def test_what_a_server_would_refuse_is_refused(given: list[Any], says: str) -> None:
    with pytest.raises(Refused, match=says):
        play(refund, order_id="A7", amount=120.0, given=given)


def test_an_input_that_a_server_would_refuse_is_refused_before_anything_runs() -> None:
    with pytest.raises(InvalidValue, match=r"\$\.amount: expected a number, got text"):
        play(refund, order_id="A7", amount="much")
    with pytest.raises(InvalidValue, match=r"\$\.amount: is missing"):
        play(refund, order_id="A7")


def test_what_makes_no_sense_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"'charge' is no agent; declare it with @taxiway\.agent"):
        play(charge)
    with pytest.raises(TypeError, match=r"given takes approve\(…\), .* not 'approve'"):
        play(refund, order_id="A7", amount=1.0, given=["approve"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="one of NONE, ON_START, ON_TOOL_CALL, not 'always'"):
        play(refund, order_id="A7", amount=1.0, approval_strategy="always")


@agent
def waiting(run: Run, reason: str = "look") -> Any:
    try:
        run.pause(reason)
    except taxiway.WaitTimeout as late:
        return [late.name, run.approve("Go [on]?", on_timeout="return").approved]
    return "looked"


def test_a_default_time_runs_out_where_that_is_said() -> None:
    assert play(waiting, given=[resume("lo?k")]).result == "looked"
    outcome = play(waiting, given=[expire("look"), approve("Go [on]?", after="1d")])
    assert (outcome.result, outcome.slept) == (["pause", True], 8 * 24 * 3600)
    late = play(waiting, given=[expire("*"), expire("*")])
    assert late.result == ["pause", False]
    with pytest.raises(Unanswered, match=r"nobody answered 'look'; give resume\('look'\)"):
        play(waiting)


@agent
def limited(run: Run) -> Any:
    return run.approve("Soon?", timeout="1h", on_timeout="return").at is not None


def test_a_decision_that_comes_after_its_time_comes_too_late() -> None:
    assert play(limited).slept == 3600
    assert play(limited, given=[approve(after="59m")]).slept == 59 * 60
    with pytest.raises(Unused):
        play(limited, given=[approve(after="1h")])


@agent
def clocked(run: Run) -> Any:
    first = run.approve("One?").at
    run.sleep("1h")
    second = run.approve("Two?").at
    assert first is not None
    assert second is not None
    return (second - first).total_seconds()


def test_the_times_of_decisions_are_those_of_the_runs_clock() -> None:
    assert play(clocked, given=[approve("One?"), approve("Two?", after="30m")]).result == 5400


@agent
def retried(run: Run, initial: str) -> Any:
    try:
        return run.using(name="charge", retry=Retry(4, initial=initial, jitter=0, max="1h")).step(charge, "A7", 1)
    except StepFailed as failed:
        return str(failed)


@pytest.mark.parametrize(("initial", "slept", "activations"), [("1s", 1 + 2 + 4, 1), ("4s", 4 + 8 + 16, 3)])
def test_retries_take_no_time_and_are_counted(initial: str, slept: float, activations: int) -> None:
    began = time.monotonic()
    outcome = play(retried, initial=initial, stub={"charge": ConnectionError("busy")})
    assert outcome.result == "step 'charge' failed after 4 attempts: ConnectionError: busy"
    assert (outcome.slept, outcome.activations) == (slept, activations)
    assert time.monotonic() - began < 1
    [tried] = outcome.steps
    assert (tried.status, tried.attempts, tried.error and tried.error.message) == ("failed", 4, "busy")


def test_a_stub_is_a_function_a_value_or_an_exception_and_is_known_by_function_or_name() -> None:
    assert play(retried, initial="1s", stub={charge: "paid"}).result == "paid"
    assert play(retried, initial="1s", stub={"charge": "paid"}).result == "paid"
    attempts = iter([ConnectionError("busy"), "paid"])

    def then(order_id: str, amount: float) -> Any:
        if isinstance(came := next(attempts), Exception):
            raise came
        return came

    outcome = play(retried, initial="1s", stub={charge: then})
    assert (outcome.result, outcome.steps[0].attempts) == ("paid", 2)


@agent
def chatty(run: Run) -> Any:
    def inside() -> None:
        taxiway.log("from a step")
        taxiway.emit("thought", {"n": 2})

    run.log("hello", "warning")
    run.progress(1, 2, "half")
    run.emit("kept", 1, durable=True)
    run.step(inside)
    print("printed")  # noqa: T201 - it stays what a test expects it to be
    raise LookupError("enough")


def test_events_logs_and_the_traceback_are_there_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = play(chatty)
    assert outcome.logs == ["hello", "from a step"]
    assert [event.type for event in outcome.events] == ["progress", "kept", "thought"]
    assert outcome.events[1:] == [Event("kept", 1, durable=True), Event("thought", {"n": 2}, step="inside")]
    assert outcome.error is not None
    assert "in chatty" in (outcome.error.traceback or "")
    assert str(outcome) == "FAILED (agent_error): LookupError: enough"
    with pytest.raises(
        AssertionError,
        match=r"no result, it is FAILED .*LookupError: enough, at \S+test_sdk_testing\.py:\d+\n\nTraceback",
    ):
        assert outcome.result
    assert capsys.readouterr().out == "printed\n"


@agent
def large(run: Run) -> Any:
    text = run.using(name="large").step(lambda: "x" * 100_000)
    run.sleep(1)
    return len(text)


def test_a_large_value_comes_back_in_the_next_activation() -> None:
    assert play(large).result == 100_000


@agent
async def polite(run: AsyncRun) -> Any:
    async def look() -> str:
        await asyncio.sleep(0)
        return "seen"

    word, seen = await asyncio.gather(run.wait_for("word"), run.step(look))
    return [word, seen]


@agent
def overdue(run: Run) -> Any:
    return run.using(name="slow", timeout=0.05).step(time.sleep, 0.2)


def test_an_async_test_may_play_too() -> None:
    async def test() -> list[Any]:
        return [play(polite, given=[signal("word", 1)]).result, play(limited).slept, play(overdue).reason]

    assert asyncio.run(test()) == [[1, "seen"], 3600, "timeout"]


def test_decisions_are_used_in_order_and_once() -> None:
    @agent
    def ordered(run: Run) -> Any:
        return [run.approve("Same?").comment for _ in range(3)]

    given = [approve(comment="a"), *[approve("Same?", comment="b")] * 2]
    assert play(ordered, given=given).result == ["a", "b", "b"]


def test_a_time_stamp_can_be_read_as_python_does() -> None:
    @agent
    def stamped(run: Run) -> Any:
        at = run.approve("Now?").at
        assert at is not None
        return at

    stamp = datetime.fromisoformat(play(stamped, given=[approve()]).result)
    assert abs((datetime.now(stamp.tzinfo) - stamp).total_seconds()) < 60


def test_testing_imports_nothing_but_the_standard_library() -> None:
    code = """if True:
        import sys
        sys.path.insert(0, sys.argv[1])
        import taxiway.testing
        print(sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'__main__'}))
    """
    command = [sys.executable, "-I", "-S", "-c", code, str(Path(taxiway.__file__).parents[1])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['taxiway']"


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
        Endless, match=r"'for_ever' began anew 300 times and goes on, now with {'n': 300}; play\(…, restarts=0\)"
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
        r"test_sdk_testing\.py:\d+; so nothing that the run waited for took approve\('End\?'\); it waited for 'Begin\?'",
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
        r"at \S+test_sdk_testing\.py:\d+; asked: 'Begin\?' approved; steps: charge_twice failed; events: seen \(2\)>",
        failed,
    ), failed
    assert repr(play(poll, restarts=0)) == "<Outcome SUCCESS, began anew with {'n': 1}; slept 3600 s>"
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
