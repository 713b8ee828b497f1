"""Frames of async agents: hostile ones end their host, refused requests are refused, order is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from executor.activation import finish
from executor.activation.frame_handler import FrameHandler
from executor.activation.outcome import parked
from executor.activation.supervision import Supervision
from executor.errors import HostGone
from executor.recorder.group_commit import Settled
from models.moves import NewWait
from models.runs.opening import Opening
from models.runs.recording import Fence
from models.runs.turns import GivingUp
from models.runtime.settings import Settings
from models.statement import Statement
from models.waiting.park import Park
from tests import rows
from tests.rules.test_executor_intake import RUN, BusyHost, Recorded, host, intake, worker

__all__ = ["host", "intake", "worker"]  # fixtures

_STEP = {"key": "a@0#1", "name": "a", "digest": "", "occurrence": 1, "attempts": 1, "durationMs": 1}


def _wait(key: str = "a", kind: str = "timer", request: str = "{}", **more: Any) -> dict[str, Any]:
    return {"key": key, "kind": kind, "dueMs": 5, "onDue": "elapsed", "request": request, **more}


def _open(*waits: Any, **more: Any) -> dict[str, Any]:
    return {"frame": "open", "n": 1, "at": 5.5, "waits": list(waits), **more}


def _turn(**more: Any) -> dict[str, Any]:
    return {"frame": "turn", "n": 1, "at": 5.5, "seen": ["a"], "gone": [], **more}


def _abandoned(**more: Any) -> dict[str, Any]:
    return {"frame": "step_abandoned", "n": 1, "at": 5.5, **_STEP, **more}


def _held(by: Any) -> dict[str, Any]:
    return {"frame": "held", "by": by}


def _supervision(worker: SimpleNamespace, host: BusyHost) -> Supervision:
    return Supervision(worker, rows.claim(), host, Fence(RUN, 3, RUN))  # type: ignore[arg-type]  # the only part in use


@pytest.mark.parametrize(
    "frame",
    [
        _open(), _open(_wait(), _wait()), _open(*[_wait(str(n)) for n in range(5_001)]), _open(_wait(kind="window")),
        _open(_wait(kind="code")), _open(_wait(dueMs=-1)), _open(_wait(dueMs=1e400)), _open(_wait(key="x" * 501)),
        _open(_wait(key=7)), _open(7), {**_open(), "waits": {"a": 1}}, _open(_wait(), n="x"), _open(_wait(), n=None),
        _open(_wait(), at="soon"), _open(_wait(), at=True), {"frame": "open"},
        *[_turn(at=at) for at in (float("nan"), float("inf"), 1e400, -1, None, "1", True, [], 1e300)],
        _turn(seen="a"), _turn(seen=[7]), _turn(gone=["x" * 501]), _turn(gone=None), _turn(seen=["a"] * 10_001),
        _turn(seen=["\ud800"]), {"frame": "turn", "n": 1}, _turn(n=[]),
        _abandoned(key=None), _abandoned(attempts="x"), _abandoned(at=-1), _abandoned(at=float("inf")),
        {"frame": "step_abandoned", "n": 1},
        {**_abandoned(at=float("nan")), "frame": "step", "value": "1"}, {**_abandoned(at="x"), "frame": "step", "value": "1"},
        _held(None), _held({"kind": "timer"}), _held([7]), _held([{"line": "x"}]), _held([{"what": "x" * 501}]),
        _held([{}] * 21), _held([{"what": "\ud800"}]), {"frame": "held"},
    ],
)  # fmt: skip
def test_a_frame_that_no_host_of_ours_writes_ends_the_host(
    worker: SimpleNamespace, host: BusyHost, frame: dict[str, Any]
) -> None:
    supervision = _supervision(worker, host)
    with pytest.raises(HostGone, match="malformed"):
        supervision._handled({"activation": supervision._frames.activation, **frame})
    supervision._frames.show()
    assert worker.recorder.put_in == []


@pytest.mark.parametrize("request_", ["NaN", r'"\u0000"', '"' + "x" * (61 << 10) + '"', "{"])
def test_a_request_that_no_wait_may_have_is_refused(intake: FrameHandler, host: BusyHost, request_: str) -> None:
    intake.take(_open(_wait(kind="signal", request=request_), n=4))
    [refused] = host.told
    assert (refused["frame"], refused["n"]) == ("refused", 4)


def test_time_alone_goes_together_with_others_and_people_get_a_transaction(
    intake: FrameHandler, worker: SimpleNamespace
) -> None:
    intake.take(_open(_wait(), _wait("b", "user")))
    intake.take(_open(_wait("c", "approval", '{"prompt": "?"}'), n=2))
    intake.take(_turn(n=3))
    intake.take(_turn(n=4, gone=["c"]))
    intake.take(_abandoned(n=5))
    kinds = [(type(item), options["alone"], options["n"]) for item, _, options in worker.recorder.put_in]
    assert kinds == [
        (Statement, False, 1), (Opening, True, 2), (Statement, False, 3), (GivingUp, True, 4), (Statement, False, 5),
    ]  # fmt: skip


def test_items_are_acknowledged_after_their_commit_and_outcomes_told_behind_that(
    intake: FrameHandler, host: BusyHost, worker: SimpleNamespace
) -> None:
    jobs: list[Any] = []
    worker.soon = jobs.append
    for answer in (rows.opened(), rows.opened(over=True), Settled()):
        intake.take(_open(_wait()))
        worker.recorder.put_in.pop()[1](answer)
        assert host.told.pop()["frame"] == "ack"
    assert len(jobs) == 1, "a look that is under way looks again"


def test_a_moment_of_a_step_is_kept_and_def_agents_have_none(intake: FrameHandler, worker: SimpleNamespace) -> None:
    intake.take({**_abandoned(at=5), "frame": "step", "value": "1"})
    intake.take({"frame": "step", "n": 2, **_STEP, "value": "1"})
    assert [item.params["at_ms"] for item, *_ in worker.recorder.put_in] == [5.0, None]


def test_an_abandoned_step_is_no_longer_in_flight(intake: FrameHandler, worker: SimpleNamespace) -> None:
    intake.take({"frame": "step_started", **_STEP, "attempt": 1, "timeoutMs": 5})
    assert len(intake.steps) == 1
    intake.take(_abandoned())
    assert len(intake.steps) == 0


def test_what_keeps_a_slot_is_written_when_it_changes_and_said_in_the_log(
    intake: FrameHandler, worker: SimpleNamespace
) -> None:
    worker.bus = SimpleNamespace(publish_event=lambda *_: None)
    cause = {"kind": "timer", "what": "a timer of 1 s", "file": "agents.py", "line": 12, "secret": "x"}
    for by in ([cause], [cause], []):
        intake.take(_held(by))
        intake.show()
        intake.show()
    said = [item.params.get("what") for item, *_ in worker.recorder.put_in]
    assert said == ['[{"kind": "timer", "what": "a timer of 1 s", "file": "agents.py", "line": 12}]', None]
    intake.log.flush()
    lines = worker.recorder.put_in[-1][0].params["messages"]
    assert lines == ["waits, but keeps its slot: a timer of 1 s (agents.py:12)"]


def test_a_pause_is_told_to_the_host(worker: SimpleNamespace, host: BusyHost) -> None:
    supervision = _supervision(worker, host)
    supervision.pause()
    supervision.pause("night")
    assert [frame["frame"] for frame in host.told] == ["pause"]


def test_the_time_at_rest_before_a_park_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXIWAY_PARK_AFTER", "2.5")
    assert Settings(secret_key="k" * 16).park_after == 2.5


def test_the_recorder_of_these_tests_is_the_intakes(worker: SimpleNamespace) -> None:
    assert isinstance(worker.recorder, Recorded)


@pytest.mark.parametrize("behind_lock", [True, False])
def test_a_park_whose_host_was_told_outcomes_looks_behind_the_lock_first(behind_lock: bool) -> None:
    """The host may have requested the park before it read them: its waits may have ended."""
    outcome = parked(1, [NewWait("a", "timer")], behind_lock=behind_lock)
    park = finish._move(Fence(RUN, 3, RUN), outcome, 0, 0, again=False)
    assert isinstance(park, Park)
    assert park.again is behind_lock
