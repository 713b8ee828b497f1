"""A wait for a run answers when the run has ended, or at its time limit."""

from __future__ import annotations

import threading
import time

import httpx

from tests.system.fake_worker import FakeWorker
from tests.system.following import POLL, enqueue


def test_a_wait_ends_when_the_run_does(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run = enqueue(acme)
    fence = fake_worker.take(run)
    threading.Timer(0.5, fake_worker.succeed, [fence]).start()
    began = time.monotonic()
    answer = acme.get(f"/v1/runs/{run}/wait", params={"timeout": 20})
    assert (answer.status_code, answer.json()["status"]) == (200, "SUCCESS")
    assert time.monotonic() - began < 0.5 + POLL + 3
    assert acme.get(f"/v1/runs/{run}/wait", params={"timeout": 20}).status_code == 200


def test_a_wait_gives_up_with_the_run_as_it_stands(acme: httpx.Client) -> None:
    run = enqueue(acme)
    began = time.monotonic()
    answer = acme.get(f"/v1/runs/{run}/wait", params={"timeout": 1})
    assert (answer.status_code, answer.json()["status"]) == (202, "QUEUED")
    assert 0.9 < time.monotonic() - began < 5
