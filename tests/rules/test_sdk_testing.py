"""Tests of agents: what may be given, what is refused, and the error if the agent does something else."""

from __future__ import annotations

import asyncio
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
    Event,
    Refused,
    Step,
    Unanswered,
    Unused,
    answer,
    approve,
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
        ([GIVEN[0], answer("Where*", {"street": "Elm"})], r"not an answer to 'Where to\?': \$\.number: is missing"),
        ([*GIVEN[:2], signal("paid", "much", after="1m")], r"not an answer to 'paid': \$: expected an object"),
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
    with pytest.raises(TypeError, match=r"'charge' is not an agent; declare it with @taxiway\.agent"):
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
    print("printed")  # noqa: T201 - it stays as a test expects it
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
