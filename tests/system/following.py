"""Runs followed by their streams, as by clients that read every line."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.system.fake_worker import INPUT

POLL = 2.0


def enqueue(client: httpx.Client) -> str:
    made: str = client.post("/v1/runs", json={"agent": "refund", "input": INPUT}).json()["runId"]
    return made


class Frame(dict[str, str]):
    """One server-sent event: its `id`, `event` and `data`, as received."""

    @property
    def json(self) -> Any:
        return json.loads(self["data"])


def frames(response: httpx.Response) -> Iterator[Frame]:
    found = Frame()
    for line in response.iter_lines():
        if not line:
            yield found
            found = Frame()
        else:
            name, _, value = line.partition(": ")
            assert name not in found
            found[name] = value
    assert not found


def follow(client: httpx.Client, run: str, last: str | None = None, **params: str) -> list[Frame]:
    headers = {} if last is None else {"last-event-id": last}
    with client.stream("GET", f"/v1/runs/{run}/sse", headers=headers, params=params) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(frames(response))


@contextmanager
def followed(client: httpx.Client, run: str) -> Iterator[list[Frame]]:
    """Follow a run in a thread; the list fills while the block executes, and is complete after it."""
    told: list[Frame] = []
    opened = threading.Event()

    def read() -> None:
        with client.stream("GET", f"/v1/runs/{run}/sse") as response:
            for frame in frames(response):
                told.append(frame)
                opened.set()

    thread = threading.Thread(target=read)
    thread.start()
    assert opened.wait(10)
    yield told
    thread.join(20)
    assert not thread.is_alive()
