"""Runs in every status as their users see it, made by the API and a worker played by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import httpx

from models import moves
from models.authorization.grants import Holder
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.runs.recording import Fence
from models.waiting.questions import authorization
from tests.system.fake_worker import INPUT, FakeWorker
from tests.system.people import HOUR, asks


@dataclass
class Stands:
    """A run in some status, with the right of its worker or the wait on which it is parked, if any."""

    run: str
    fence: Fence | None = None
    wait: NewWait | None = None

    @property
    def id(self) -> UUID:
        return UUID(self.run)


def _new(client: httpx.Client) -> str:
    made: str = client.post("/v1/runs", json={"agent": "refund", "input": INPUT}).json()["runId"]
    return made


def _parked(client: httpx.Client, fake_worker: FakeWorker, wait: NewWait) -> Stands:
    run = _new(client)
    fake_worker.ask(run, wait)
    return Stands(run, wait=wait)


def queued(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    return Stands(_new(client))


def executing(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    run = _new(client)
    return Stands(run, fake_worker.take(run))


def _awaiting(client: httpx.Client, fake_worker: FakeWorker, wait: NewWait) -> Stands:
    run_state = executing(client, fake_worker)
    assert run_state.fence
    fake_worker.open(run_state.fence, wait)
    return Stands(run_state.run, run_state.fence, wait)


def executing_and_asking(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    return _awaiting(client, fake_worker, asks())


def executing_and_pausing(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    """Create a run whose agent awaits the end of its own pause by a person, and executes."""
    return _awaiting(client, fake_worker, NewWait("pause#1", "user", {"reason": "look at this"}, HOUR, "timeout"))


def executing_and_listening(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    return _awaiting(client, fake_worker, NewWait("s", "signal", {"signal": "word"}, HOUR, "timeout"))


def ready(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    """Create a run that has started, and waits for a slot to resume."""
    run_state = executing(client, fake_worker)
    assert run_state.fence
    at = (run_state.fence.run, run_state.fence.epoch, run_state.fence.worker)
    assert moves.release(*at, verb=Verb.HAND_BACK, reason=Reason.DRAINED).one(fake_worker.connection)
    return Stands(run_state.run)


def auth_required(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    """Create a run with an authorization that another system carries out."""
    request = {
        "provider": "ours", "subject": "ann", "scopes": ["mail"], "onDeny": "fail", "url": "https://ours.example.com/consent",
    }  # fmt: skip
    return _parked(client, fake_worker, authorization("a", request, HOUR, "timeout", Holder("acme", "ann", "ours")))


def asking(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    return _parked(client, fake_worker, asks())


def paused(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    run_state = ready(client, fake_worker)
    assert client.post(f"/v1/runs/{run_state.run}/pause").json()["status"] == "PAUSED"
    return run_state


def paused_by_agent(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    return _parked(client, fake_worker, NewWait("s", "signal", {"signal": "word"}, HOUR, "timeout"))


def sleeping(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    return _parked(client, fake_worker, NewWait("sleep#1", "timer", {}, HOUR, "elapsed"))


def paused_itself(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    """Create a run whose agent has requested a pause that a person ends."""
    return _parked(client, fake_worker, NewWait("pause#1", "user", {"reason": "look at this"}, HOUR, "timeout"))


def succeeded(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    run_state = executing(client, fake_worker)
    assert run_state.fence
    fake_worker.step(run_state.fence, "fetch")
    fake_worker.succeed(run_state.fence, '{"done":true}')
    return Stands(run_state.run)


def failed(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    run_state = executing(client, fake_worker)
    assert run_state.fence
    fake_worker.fail(run_state.fence)
    return Stands(run_state.run)


def canceled(client: httpx.Client, fake_worker: FakeWorker) -> Stands:
    run = _new(client)
    assert client.delete(f"/v1/runs/{run}").status_code == 200
    return Stands(run)


SITUATIONS: dict[str, Callable[[httpx.Client, FakeWorker], Stands]] = {
    "QUEUED": queued,
    "RUNNING, executing": executing,
    "RUNNING, asking": executing_and_asking,
    "RUNNING, own pause": executing_and_pausing,
    "RUNNING, listening": executing_and_listening,
    "RUNNING, ready": ready,
    "AUTH_REQUIRED": auth_required,
    "PAUSED, approval": asking,
    "PAUSED, user": paused,
    "PAUSED, agent": paused_by_agent,
    "PAUSED, timer": sleeping,
    "PAUSED, own pause": paused_itself,
    "SUCCESS": succeeded,
    "FAILED": failed,
    "CANCELED": canceled,
}
TERMINAL = ("SUCCESS", "FAILED", "CANCELED")
