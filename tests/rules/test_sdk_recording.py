"""Steps without any process: executed, recorded, replayed, retried, given up or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest
from taxiway import Retry, StepFailed, step
from taxiway.activation import Activation
from taxiway.commands import Attempt, Commit, Execute, Recall, Script, Sleep, Tell
from taxiway.digest import value_digest
from taxiway.errors import Canceled, Halt, NotRecorded
from taxiway.frames import Kind
from taxiway.ledger import Recorded, Status, StepError
from taxiway.orders import Limits, Order
from taxiway.outcome import Failed, Finished
from taxiway.steps import NO_OPTIONS, StepOptions


@dataclass
class Basket:
    id: int
    lock: Any = None


class Worker:
    """Takes the frames of an activation, and acknowledges them."""

    def __init__(self, recorded: list[Recorded] | None = None, refuse: str = "", in_order: bool = True) -> None:
        self.frames: list[dict[str, Any]] = []
        self.waits: list[float] = []
        self.refuse = refuse
        order = Order("r.1", "r", 1, "main", "{}", None, {}, Limits(value=100))
        self.activation = Activation(order, recorded or [], [], self.frames.append)
        self.activation.in_order = in_order

    def call(self, function: Callable[..., Any], *args: Any, **said: Any) -> Any:
        options = StepOptions(**said) if said else NO_OPTIONS
        return self.play(self.activation.open_step(function, args, {}, options))

    def play(self, script: Script) -> Any:
        try:
            command = next(script)
            while True:
                try:
                    answer = self.perform(command)
                except BaseException as error:  # noqa: BLE001 - thrown into the script, as every player does
                    command = script.throw(error)
                else:
                    command = script.send(answer)
        except StopIteration as done:
            return done.value

    def perform(self, command: Any) -> Any:
        match command:
            case Tell(kind, fields):
                self.activation.tell(kind, fields)
            case Commit(kind, fields):
                return self.answer(self.activation.commit(kind, fields))
            case Recall(key):
                return json.dumps(f"recalled {key}")
            case Sleep(seconds=seconds):
                self.waits.append(seconds)
            case Execute(call):
                try:
                    return Attempt(call.function(*call.args, **call.kwargs))
                except Exception as error:  # noqa: BLE001 - as above
                    return Attempt(error=error, timed_out=isinstance(error, TimeoutError))
        return None

    def answer(self, future: Future[None]) -> None:
        frame = self.frames[-1]
        if frame["frame"] == self.refuse:
            self.activation.refuse(frame["n"], "history_limit", "full")
        else:
            self.activation.acknowledge(frame["n"])
        return future.result(0)

    def said(self) -> list[str]:
        return [str(frame["frame"]) for frame in self.frames]


def recorded(key: str, status: Status, **more: Any) -> Recorded:
    fields = {"attempts": 1, "value": None, "error": None, "large": False} | more
    return Recorded(key, key.partition("#")[0], status, **fields)


KEY = f"int#{value_digest(('7',), {})}#1"


def fail(kind: type[Exception] = ValueError) -> None:
    raise kind("no")


def test_a_step_is_told_executed_and_recorded_in_this_order() -> None:
    worker = Worker()
    assert worker.call(int, "7") == 7
    assert worker.said() == ["step_started", "step"]
    assert [frame["n"] for frame in worker.frames] == [1, 2]
    assert worker.frames[1]["key"] == KEY
    assert worker.frames[1]["value"] == "7"


def test_the_first_value_is_what_a_replay_will_see() -> None:
    worker = Worker()
    basket = Basket(2)

    def work() -> tuple[int, list[Basket]]:
        return 1, [basket]

    first = worker.call(work)
    assert first == (1, [Basket(2)])
    assert first[1][0] is not basket


def test_a_succeeded_step_is_returned_and_nothing_is_said_or_executed() -> None:
    worker = Worker([recorded(KEY, Status.SUCCEEDED, value="8")])
    assert worker.call(int, "7") == 8
    assert worker.said() == []


def test_a_large_value_is_recalled() -> None:
    assert Worker([recorded(KEY, Status.SUCCEEDED, large=True)]).call(int, "7") == f"recalled {KEY}"


def test_a_failed_step_raises_its_recorded_error() -> None:
    error = StepError("KeyError", "'x'", "timeout")
    with pytest.raises(StepFailed) as failed:
        Worker([recorded(KEY, Status.FAILED, attempts=3, error=error)]).call(int, "7")
    assert str(failed.value) == "step 'int' failed after 3 attempts: KeyError: 'x'"
    assert (failed.value.attempts, failed.value.code) == (3, "timeout")


def test_a_retried_step_goes_on_with_the_next_attempt() -> None:
    worker = Worker([recorded(KEY, Status.RETRYING, attempts=4)])
    assert worker.call(int, "7", retry=Retry(5)) == 7
    assert worker.frames[0]["attempt"] == 5


def test_a_retried_step_that_has_no_attempt_left_is_given_up_with_its_last_error() -> None:
    error = StepError("TimeoutError", "took longer than 5 s", "timeout")
    worker = Worker([recorded(KEY, Status.RETRYING, attempts=5, error=error)])
    with pytest.raises(StepFailed) as failed:
        worker.call(int, "7", retry=Retry(5))
    assert (failed.value.code, failed.value.attempts) == ("timeout", 5)
    assert [(frame["frame"], frame["final"]) for frame in worker.frames] == [("step_failed", True)]


def test_an_intended_step_halts_everything() -> None:
    worker = Worker([recorded(KEY, Status.INTENDED)])
    with pytest.raises(Halt) as halt:
        worker.call(int, "7")
    assert (halt.value.code, halt.value.step) == ("once_unknown", "int")
    with pytest.raises(Halt):
        worker.call(int, "8")
    worker.activation.conclude(Finished("1"))
    assert worker.frames[-1]["error"]["code"] == "once_unknown"


@pytest.mark.parametrize("status", list(Status))
def test_a_new_step_beside_unmatched_records_of_any_status_is_a_mismatch(status: Status) -> None:
    worker = Worker([recorded("old##1", status)])
    with pytest.raises(Halt, match=r"'int'\('7'\) while recorded 'old'\(\) are unused") as halt:
        worker.call(int, "7")
    assert halt.value.code == "code_mismatch"
    assert worker.said() == []


def test_an_unordered_agent_never_mismatches() -> None:
    worker = Worker([recorded("old##1", Status.SUCCEEDED)], in_order=False)
    assert worker.call(int, "7") == 7


def test_failures_are_recorded_before_the_wait_and_the_last_is_final() -> None:
    worker = Worker()
    with pytest.raises(StepFailed):
        worker.call(fail, retry=Retry(3, initial=1, jitter=0))
    assert worker.said() == ["step_started", "step_failed"] * 3
    assert [(frame["final"], frame["retryInMs"]) for frame in worker.frames[1::2]] == [
        (False, 1000),
        (False, 2000),
        (True, None),
    ]
    assert worker.waits == [1, 2]


def test_options_of_the_call_win_over_those_of_the_function_and_these_over_the_agent_s() -> None:
    @step(name="named", retry=Retry(2, initial=0))
    def failing() -> None:
        raise ValueError

    worker = Worker()
    worker.activation.agent_retry = Retry(4, initial=0)
    attempts = []
    for function, said in ((fail, {}), (failing, {}), (failing, {"retry": Retry(), "name": "mine"})):
        with pytest.raises(StepFailed) as failed:
            worker.call(function, **said)
        attempts.append((failed.value.step, failed.value.attempts))
    assert attempts == [("fail", 4), ("named", 2), ("mine", 1)]


def test_a_timeout_of_a_once_step_is_final() -> None:
    worker = Worker()
    with pytest.raises(StepFailed) as failed:
        worker.call(fail, TimeoutError, once=True, timeout=5, retry=Retry(5))
    assert (failed.value.code, failed.value.attempts) == ("timeout", 1)


def test_a_value_that_is_too_large_is_final_and_so_is_a_bad_one() -> None:
    worker = Worker()
    for value, code in (("x" * 99, "output_too_large"), ({1}, "invalid_output")):
        with pytest.raises(StepFailed) as failed:
            worker.call(lambda value=value: value, name="work", retry=Retry(5))
        assert failed.value.code == code
    assert worker.call(lambda: "x" * 98, name="work") == "x" * 98


def test_a_full_history_halts() -> None:
    worker = Worker(refuse="step_failed")
    with pytest.raises(Halt) as halt:
        worker.call(fail)
    assert halt.value.code == "history_limit"


def test_a_cancel_ends_waiting_verbs_and_every_later_one_and_decides_the_end() -> None:
    worker = Worker()
    waiting = worker.activation.commit(Kind.STEP, {})
    assert worker.activation.cancel("timeout") is True
    with pytest.raises(Canceled):
        waiting.result(0)
    for verb in (
        lambda: worker.call(int, "7"),
        lambda: worker.activation.log("x", "info"),
        lambda: worker.activation.event("x", 1, durable=True),
        lambda: worker.activation.recall("x"),
    ):
        with pytest.raises(Canceled):
            verb()
    end = worker.activation.conclude(Finished("1"))
    assert worker.frames[-1]["error"]["code"] == "timeout"
    worker.activation.acknowledge(worker.frames[-1]["n"])
    assert end.result(0) is None
    assert worker.activation.cancel("cancel") is False, "it is over"


def test_a_cancel_beats_a_halt() -> None:
    worker = Worker([recorded("old##1", Status.SUCCEEDED)])
    with pytest.raises(Halt):
        worker.call(int, "7")
    worker.activation.cancel("cancel")
    worker.activation.conclude(Failed("agent_error", "x", "y"))
    assert worker.frames[-1]["error"]["code"] == "canceled"


def test_after_its_end_an_activation_says_no_more() -> None:
    worker = Worker()
    worker.activation.conclude(Finished("1"))
    with pytest.raises(Canceled, match="is over"):
        worker.activation.log("late", "info")
    assert worker.said() == ["finish"]


def test_a_refusal_is_the_future_s_error() -> None:
    worker = Worker()
    future = worker.activation.event("x", 1, durable=True)
    assert future is not None
    worker.activation.refuse(1, "history_limit", "full")
    with pytest.raises(NotRecorded, match="full"):
        future.result(0)


@pytest.mark.parametrize(
    "said",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x" * 201},
        {"timeout": 0},
        {"timeout": "soon"},
        {"retry": 3},
        {"name": 3},
    ],
)
def test_options_that_make_no_sense_are_refused_where_they_are_written(said: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        step(**said)
