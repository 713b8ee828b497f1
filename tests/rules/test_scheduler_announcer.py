"""What a duty did is announced once and in order: wake-ups before events, each worker and each queue once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from models.ids import new_id
from models.runtime.bus import PROMOTE, worker_channel
from models.stored_event import StoredEvent
from models.waiting.run_state import RunState
from scheduler import announcer
from scheduler.announcer import Announcer
from scheduler.duty import Done, Fact
from tests.rows import RUN, stored_event


class Taking:
    """A bus that keeps what it is given, in its order."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    def publish_event(self, tenant: str, message: Any) -> None:
        self.taken.append((tenant, message["runId"], message["seq"]))

    def wake_up(self, channel: str, text: str = "") -> None:
        self.taken.append((channel, text))


def _event(seq: int, queue: str) -> StoredEvent:
    return stored_event(seq=seq, queue=queue)


def _run_state(worker: UUID | None) -> RunState:
    return RunState(RUN, "acme", "RUNNING", None, 3, lease_worker=worker, queue="a")


def test_wake_ups_go_first_once_each_and_events_follow_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    monkeypatch.setattr(announcer.facts, "fact", lambda name, **fields: written.append((name, fields)))
    bus, worker = Taking(), new_id()
    moved = Done.of_moves(
        [_event(3, "b"), _event(1, "a"), _event(2, "b")],
        Fact.of("run.woken", level="debug", run="r"),
        workers=[worker] * 2,
    )
    Announcer(bus).announce(moved)
    assert bus.taken == [
        (worker_channel(worker), ""), (PROMOTE, "b"), (PROMOTE, "a"),
        ("acme", str(RUN), 3), ("acme", str(RUN), 1), ("acme", str(RUN), 2),
    ]  # fmt: skip
    assert written == [("run.woken", {"level": "debug", "run": "r"})]


@pytest.mark.parametrize("events", [[], [_event(1, "a")]])
def test_ended_waits_wake_the_worker_that_executes_the_run_and_else_the_scheduler(events: list[StoredEvent]) -> None:
    worker = new_id()
    executes = Done.of_waits(_run_state(worker), events)
    assert (executes.workers, list(executes.queues)) == ([worker], [])
    parked = Done.of_waits(_run_state(None), events)
    assert (list(parked.workers), list(parked.queues)) == ([], ["a"] if events else [])
    assert parked.events == events


def test_a_result_of_nothing_announces_nothing() -> None:
    bus = Taking()
    Announcer(bus).announce(Done(5.0))
    assert bus.taken == []
