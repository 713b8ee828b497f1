"""A frame of an ended activation changes nothing, whatever its kind, on either end of the channel."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from taxiway.activation import Activation
from taxiway.authorizations import Grant
from taxiway.frames import Frame, Kind
from taxiway.host.service import Service
from taxiway.orders import Limits, Order

from executor.activation.supervision import Supervision
from executor.errors import HostGone
from models.runs.recording import Fence
from models.runtime.settings import Settings
from tests import rows

RUN = UUID(int=1)
MINE, LATE = f"{RUN}.3", f"{RUN}.2"
_STEP = {"key": "a##1", "name": "a", "digest": "", "occurrence": 1, "attempts": 1, "attempt": 1, "durationMs": 1}
_ERROR = {"code": "step_error", "type": "ValueError", "message": "no"}
_TIMER = {"key": "a", "kind": "timer", "dueMs": 1, "onDue": "elapsed", "request": "{}"}

# Frames of a host, well formed, so that only their activation decides whether they count.
SAID: dict[Kind, Frame] = {
    Kind.STEP_STARTED: {**_STEP, "n": 1, "timeoutMs": None, "once": True},
    Kind.STEP: {**_STEP, "n": 1, "value": "1"},
    Kind.STEP_FAILED: {**_STEP, "n": 1, "error": _ERROR, "final": True},
    Kind.STEP_ABANDONED: {**_STEP, "n": 1, "at": 1.0},
    Kind.OPEN: {"n": 1, "at": 1.0, "waits": [_TIMER]},
    Kind.TURN: {"n": 1, "at": 1.0, "seen": ["a"], "gone": []},
    Kind.HELD: {"by": [{"kind": "socket", "what": "1 socket", "file": None, "line": None}]},
    Kind.RECALL: {"key": "a##1"},
    Kind.SPAWN: {**_STEP, "n": 1, "agent": "echo", "inputs": ["{}"], "more": False},
    Kind.GRANT: {"ask": 1, "want": "find", "provider": "bank", "subject": "ann", "scopes": []},
    Kind.EVENT: {"n": 1, "type": "agent", "data": '{"type": "x"}', "durable": True},
    Kind.LOG: {"level": "info", "message": "hello"},
    Kind.LOOK: {"n": 1, "waits": [_TIMER]},
    Kind.PARK: {"n": 1, "wake": "all", "waits": [_TIMER]},
    Kind.FINISH: {"n": 1, "value": "1"},
    Kind.RESTART: {"n": 1, "input": "{}"},
    Kind.FAIL: {"n": 1, "error": _ERROR},
    Kind.LEAVING: {"left": ["a thread"]},
    Kind.IDLE: {},
    Kind.STEP_ABANDONED: {**_STEP, "n": 1, "at": 5.5},
    Kind.OPEN: {"n": 1, "at": 5, "waits": [{"key": "a", "kind": "timer", "dueMs": 1, "request": "{}"}]},
    Kind.TURN: {"n": 1, "at": 5, "seen": ["a"], "gone": []},
}
# Frames of a worker about an activation that its host executes.
TOLD: dict[Kind, Frame] = {
    Kind.ACK: {"n": 1},
    Kind.REFUSED: {"n": 1, "code": "history_limit", "message": "no"},
    Kind.RECALLED: {"key": "a##1", "value": "1"},
    Kind.GRANTED: {"ask": 1, "usable": True},
    Kind.SETTLED: {"waits": [{"key": "a", "kind": "timer", "outcome": "elapsed"}]},
    Kind.PAUSE: {},
    Kind.CANCEL: {"kind": "cancel", "graceMs": 0},
}
# These concern the process, or begin an activation.
OF_NONE = {Kind.HELLO, Kind.BROKEN, Kind.ACTIVATE, Kind.RECORDED, Kind.VALID, Kind.STOP}
LATER = {Kind.HELD}
"""What is written with the next tick alone."""


def test_every_frame_there_is_was_thought_of() -> None:
    assert SAID.keys() | TOLD.keys() | OF_NONE | LATER == set(Kind)


def _heard_by_the_worker(frame: Frame) -> list[object]:
    """Return every effect of a host's frame on its worker."""
    heard: list[object] = []

    def note(*what: object, **more: object) -> Any:
        heard.append((what, more))
        return []

    host = SimpleNamespace(try_send=note, send=note, retire=note, kill=note)
    recorder, bus = SimpleNamespace(put=note), SimpleNamespace(publish_event=note, wake_up=note)
    settings, authorizations = Settings(secret_key="k" * 16), SimpleNamespace(ask=note)
    worker: Any = SimpleNamespace(
        settings=settings, recorder=recorder, bus=bus, draining=False, read=note, authorizations=authorizations,
        soon=lambda job: job(),
    )  # fmt: skip
    supervision = Supervision(worker, rows.claim(), host, Fence(RUN, 3, UUID(int=2)))  # type: ignore[arg-type]
    with suppress(HostGone):
        if (outcome := supervision._handled(frame)) is not None:
            heard.append(outcome)
        return heard
    return [*heard, "malformed"]


@pytest.mark.parametrize("kind", sorted(SAID.keys() - LATER))
def test_a_worker_does_nothing_for_an_activation_that_is_over(kind: Kind) -> None:
    assert _heard_by_the_worker({"frame": kind, "activation": MINE, **SAID[kind]})
    assert _heard_by_the_worker({"frame": kind, "activation": LATE, **SAID[kind]}) == []
    assert _heard_by_the_worker({"frame": kind, **SAID[kind]}) == []


def _heard_by_the_host(frame: Frame) -> list[str]:
    """Return the changes by a frame of the worker to an activation that waits for a record and for a recalled value."""
    channel: Any = SimpleNamespace(send=lambda *_: None)
    service = Service(channel, 60)
    order = Order(MINE, str(RUN), 1, "echo", "{}", None, {}, Limits())
    activation = service._activation = Activation(order, [], [], lambda _: None)
    recorded, recalled = activation.commit(Kind.STEP, {}), activation.recall("a##1")
    granted = activation.ask("find", Grant("bank", "ann"))
    heard: list[str] = []
    activation.on_settled = lambda came: heard.extend(one.key for one in came)
    activation.on_pause = lambda: heard.append("a pause")
    service._take(frame)
    facts: dict[str, Callable[[], bool]] = {
        "recorded": recorded.done, "recalled": recalled.done, "canceled": activation.canceled.is_set,
        "granted": granted.done, "settled": lambda: "a" in heard, "paused": lambda: "a pause" in heard,
    }  # fmt: skip
    return [name for name, fact in facts.items() if fact()]


@pytest.mark.parametrize("kind", TOLD)
def test_a_host_does_nothing_for_an_activation_that_is_over(kind: Kind) -> None:
    assert _heard_by_the_host({"frame": kind, "activation": MINE, **TOLD[kind]})
    assert _heard_by_the_host({"frame": kind, "activation": LATE, **TOLD[kind]}) == []
