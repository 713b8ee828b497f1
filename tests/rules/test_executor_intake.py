"""Frames of a worker reach a host in order; a host that is busy reading gets them again, one that never reads is ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from executor.activation import host_outbox
from executor.activation.frame_handler import FrameHandler
from executor.errors import StepFinished
from executor.recorder.group_commit import RECORDED
from models.runs.recording import Fence
from models.runtime.settings import Settings
from tests import rows

RUN = UUID(int=1)


class BusyHost:
    """A host whose channel takes frames only while it is `open`."""

    def __init__(self) -> None:
        self.open = True
        self.told: list[dict[str, Any]] = []
        self.killed: str | None = None

    def try_send(self, frame: dict[str, Any]) -> bool:
        if self.open:
            self.told.append(frame)
        return self.open

    def kill(self, why: str) -> None:
        self.killed = why


class Recorded:
    """A recorder that keeps its items."""

    def __init__(self) -> None:
        self.put_in: list[tuple[Any, Any, dict[str, Any]]] = []

    def put(self, run: UUID, statement: Any, done: Any, **options: Any) -> None:
        self.put_in.append((statement, done, options))


@pytest.fixture
def host() -> BusyHost:
    return BusyHost()


@pytest.fixture
def worker() -> SimpleNamespace:
    settings = Settings(secret_key="k" * 16, max_value_bytes=1024)
    return SimpleNamespace(settings=settings, recorder=Recorded(), bus=None, draining=False, read=lambda *_: [])


@pytest.fixture
def intake(host: BusyHost, worker: SimpleNamespace) -> FrameHandler:
    return FrameHandler(worker, rows.claim(), host, Fence(RUN, 3, UUID(int=2)))  # type: ignore[arg-type]


def _step(n: Any, **fields: Any) -> dict[str, Any]:
    told = {"key": f"a#{n}", "name": "a", "digest": "", "occurrence": n, "attempts": 1, "durationMs": 1, "value": "1"}
    return {"frame": "step", "activation": f"{RUN}.3", "n": n, **told, **fields}


def _begun(n: int) -> dict[str, Any]:
    return {"key": f"a#{n}", "name": "a", "digest": "", "occurrence": n, "attempt": 1, "durationMs": 0}


def test_a_frame_is_told_at_once_with_the_activation_it_belongs_to(intake: FrameHandler, host: BusyHost) -> None:
    intake.send({"frame": "ack", "n": 1})
    assert host.told == [{"frame": "ack", "n": 1, "activation": f"{RUN}.3"}]


def test_a_host_that_is_busy_is_told_again_in_order_and_lives(intake: FrameHandler, host: BusyHost) -> None:
    host.open = False
    intake.send({"frame": "ack", "n": 1})
    intake.send({"frame": "ack", "n": 2})
    assert intake.outbox.flush() is False
    host.open = True
    intake.send({"frame": "ack", "n": 3})

    assert intake.outbox.flush() is True
    assert [frame["n"] for frame in host.told] == [1, 2, 3]
    assert host.killed is None


def test_a_host_that_takes_nothing_for_long_is_ended(
    intake: FrameHandler, host: BusyHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(host_outbox, "time", SimpleNamespace(monotonic=lambda: now[0]))
    host.open = False
    intake.send({"frame": "ack", "n": 1})
    now[0] += host_outbox.HOST_READ_TIMEOUT_S - 1
    intake.send({"frame": "ack", "n": 2})
    intake.outbox.flush()
    assert host.killed is None

    now[0] += 2
    intake.outbox.flush()
    assert host.killed == "not_reading"


def test_only_an_agent_that_waits_for_its_item_has_it_committed_by_its_own_slot(
    intake: FrameHandler, worker: SimpleNamespace
) -> None:
    for n in (1, 2):
        intake.take({"frame": "step_started", **_begun(n)})
    for n in (1, 2):
        intake.take(_step(n))
    assert [options["inline"] for *_, options in worker.recorder.put_in] == [False, True]


def test_a_step_is_acknowledged_only_after_its_commit(
    intake: FrameHandler, host: BusyHost, worker: SimpleNamespace
) -> None:
    intake.take(_step(1))
    [(statement, done, options)] = worker.recorder.put_in
    assert (statement.params["key"], statement.params["n"], options["n"], host.told) == ("a#1", 1, 1, [])

    done(RECORDED)
    assert [(frame["frame"], frame["n"]) for frame in host.told] == [("ack", 1)]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StepFinished(), "this step was finished before"),
        (psycopg.errors.UniqueViolation(), "it cannot be stored (SQLSTATE 23505)"),
    ],
)
def test_a_host_is_told_why_its_step_was_not_recorded(
    intake: FrameHandler, host: BusyHost, worker: SimpleNamespace, error: Exception, said: str
) -> None:
    intake.take(_step(1))
    worker.recorder.put_in[0][1](error)
    [refused] = host.told
    assert (refused["frame"], refused["code"], refused["message"]) == ("refused", "invalid_output", said)


def test_a_draining_worker_lets_no_agent_past_a_step(
    intake: FrameHandler, host: BusyHost, worker: SimpleNamespace
) -> None:
    intake.take(_step(1))
    worker.draining = True
    worker.recorder.put_in[0][1](RECORDED)
    assert host.told == []


@pytest.mark.parametrize("value", ["NaN", r'"\u0000"', r'"\ud800"', "{", '"' + "x" * 1024 + '"', None, 7])
def test_a_value_that_cannot_be_kept_is_refused_before_it_reaches_the_recorder(
    intake: FrameHandler, host: BusyHost, worker: SimpleNamespace, value: Any
) -> None:
    intake.take(_step(1, value=value))
    assert worker.recorder.put_in == []
    [refused] = host.told
    assert (refused["frame"], refused["n"]) == ("refused", 1)
    assert refused["code"] == ("output_too_large" if isinstance(value, str) and len(value) > 1024 else "invalid_output")


@pytest.mark.parametrize(
    "frame",
    [
        {"frame": "nonsense"}, {"frame": "step"}, _step(1, key=None), _step("x"), _step(None), {"frame": "log"},
        {"frame": "step_failed", "key": "a"}, {**_step(1), "frame": "step_failed", "final": True, "error": []},
        {"frame": "event", "type": "x"}, {"frame": "recall", "key": 7}, _step(1, attempts=[]), {"frame": "step_started"},
    ],
)  # fmt: skip
def test_a_frame_that_makes_no_sense_raises_what_a_supervision_takes_for_malformed(
    intake: FrameHandler, worker: SimpleNamespace, frame: dict[str, Any]
) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        intake.take(frame)
    assert worker.recorder.put_in == []


def test_an_item_that_was_refused_for_an_epoch_that_passed_ends_the_host(
    intake: FrameHandler, host: BusyHost, worker: SimpleNamespace
) -> None:
    intake.take(_step(1))
    [(_, done, _)] = worker.recorder.put_in
    done(None)
    intake.items.explain_unrecorded()  # the run row is another's, or gone
    assert (host.killed, host.told) == ("fenced", [])


def test_an_item_over_the_runs_limits_is_refused_with_the_limit(
    intake: FrameHandler, host: BusyHost, worker: SimpleNamespace
) -> None:
    worker.read = lambda *_: [rows.fenced()]
    intake.take(_step(5))
    [(_, done, _)] = worker.recorder.put_in
    done(None)
    intake.items.explain_unrecorded()
    [refused] = host.told
    assert (refused["code"], refused["n"], host.killed) == ("history_limit", 5, None)
    assert "10,000 steps" in refused["message"]


@pytest.mark.parametrize("held_by", ["a pause", "a drain"])
def test_a_held_agent_waits_at_the_edge_of_its_step(
    intake: FrameHandler, host: BusyHost, worker: SimpleNamespace, held_by: str
) -> None:
    _hold(intake, worker, held_by)
    intake.take(_step(1))
    worker.recorder.put_in[0][1](RECORDED)
    assert (host.told, intake.items.at_edge) == ([], True)


@pytest.mark.parametrize("held_by", ["a pause", "a drain"])
def test_a_once_step_whose_intent_is_recorded_begins_whatever_is_asked_of_the_run(
    intake: FrameHandler, host: BusyHost, worker: SimpleNamespace, held_by: str
) -> None:
    """If the item were held back, it would never begin, and the next activation would not know that it had not."""
    _hold(intake, worker, held_by)
    intake.take(_step(1, frame="step_started", attempt=1, timeoutMs=None, once=True))
    worker.recorder.put_in[0][1](RECORDED)
    assert [frame["frame"] for frame in host.told] == ["ack"]
    assert (intake.items.at_edge, len(intake.steps)) == (False, 1)


def _hold(intake: FrameHandler, worker: SimpleNamespace, held_by: str) -> None:
    if held_by == "a pause":
        intake.hold()
    else:
        worker.draining = True


_WAIT = {"key": "wait:signal#word#1", "kind": "signal", "dueMs": None, "onDue": None, "request": '{"signal": "word"}'}


@pytest.mark.parametrize("leaves", ["pause", "drain"])
def test_a_run_that_is_to_stop_is_told_of_nothing_and_parks(
    intake: FrameHandler, host: BusyHost, worker: SimpleNamespace, leaves: str
) -> None:
    worker.read, worker.soon = lambda *_: [True], lambda job: job()
    intake.take({"frame": "look", "n": 1, "waits": [_WAIT]})
    [(_, done, _)] = worker.recorder.put_in
    assert host.told == [], "what is there is asked for, and told when the waits are open"
    if leaves == "pause":
        intake.hold()
    worker.draining = leaves == "drain"
    intake.take({"frame": "look", "n": 2, "waits": [_WAIT]})
    assert [(frame["n"], "value" in frame) for frame in host.told] == [(2, False)]
    done(rows.opened(over=True))
    assert intake.items.at_edge, "held at the edge by the pause or the drain that came meanwhile"


def test_a_look_that_cannot_be_answered_lets_the_run_park(
    intake: FrameHandler, host: BusyHost, worker: SimpleNamespace
) -> None:
    def away(*_: object) -> Any:
        raise psycopg.OperationalError("gone")

    worker.read, worker.soon = away, lambda job: job()
    intake.take({"frame": "look", "n": 1, "waits": [_WAIT]})
    worker.read = lambda *_: [True]
    intake.take({"frame": "look", "n": 2, "waits": [_WAIT]})
    [(_, done, _)] = worker.recorder.put_in
    done(psycopg.errors.UniqueViolation())
    assert [(frame["frame"], frame["n"], "value" in frame) for frame in host.told] == [
        ("ack", 1, False),
        ("ack", 2, False),
    ]
