"""Clients that enqueue orders and retry until they have a definite answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from ops.chaos.journal import Accepted, Journal
from ops.chaos.orders import Order

RETRY = 0.25
OK = (200, 201)
OVER = 90.0
"""Seconds after which a request without a definite answer is a violation."""


@dataclass(frozen=True)
class Errand:
    """A call that a person makes on a run at a time (monotonic): a path below the run's address, with its body."""

    at: float
    run: str
    what: str
    body: dict[str, Any]


class Api:
    """The HTTP API for a client that trusts only definite answers."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=10, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> httpx.Response | None:
        """Send until the answer is definite (no connection error, no 5xx, no 429); None after a long time without one."""
        headers = {"idempotency-key": key} if key else {}
        deadline = time.monotonic() + OVER
        while time.monotonic() < deadline:
            try:
                answer = self._http.post(path, json=body, headers=headers)
                if answer.status_code < 500 and answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                    return answer
            except httpx.HTTPError:
                pass
            time.sleep(RETRY)
        return None

    def get(self, path: str) -> dict[str, Any]:
        """Read a resource; an empty object if there is no answer now."""
        try:
            answer = self._http.get(path)
            shown: dict[str, Any] = answer.json() if answer.status_code == httpx.codes.OK else {}
        except httpx.HTTPError:
            return {}
        return shown


class Client:
    """Enqueues its orders one by one, unless too many runs wait."""

    def __init__(self, api: Api, orders: Iterator[Order], journal: Journal, waiting: Callable[[], bool]) -> None:
        self._api, self._orders, self._journal, self._waiting = api, orders, journal, waiting
        self.errands: list[Errand] = []
        """Errands for people on the runs that it enqueued."""

    def run(self, stopping: threading.Event) -> None:
        """Enqueue until `stopping`; the present request is completed."""
        for order in self._orders:
            while self._waiting() and not stopping.wait(0.1):
                pass
            if stopping.wait(order.pause):
                return
            self.enqueue(order)

    def enqueue(self, order: Order) -> None:
        """Send one order until its answer is definite."""
        shared = {"concurrencyKey": order.concurrency_key} if order.concurrency_key else {}
        runs = [{"agent": order.agent, "input": given, **shared} for given in order.inputs]
        path = "/v1/runs/batch" if order.batch else "/v1/runs"
        answer = self._api.post(path, {"runs": runs} if order.batch else runs[0], order.key)
        if answer is None or answer.status_code not in OK:
            said = f"{answer.status_code} {answer.text[:300]}" if answer is not None else f"nothing for {OVER:.0f} s"
            self._journal.complain("api", "", f"enqueueing {order.agent} was answered with {said}")
            return
        shown = answer.json()
        ids = [run["runId"] for run in shown["runs"]] if order.batch else [shown["runId"]]
        made = zip(ids, order.inputs, strict=True)
        self._journal.accept([Accepted(run, order.key, order.agent, given) for run, given in made])
        self.errands += _errands(order, ids[0])


def _errands(order: Order, run: str) -> list[Errand]:
    now = time.monotonic()
    words = [
        Errand(now + 0.3 * n, run, "signals/word", {"payload": n, "id": f"{order.key}-{n}"})
        for n in range(1, order.words + 1)
    ]
    cancel = (
        [] if order.cancel_after is None else [Errand(now + order.cancel_after, run, "cancel", {"reason": "chaos"})]
    )
    pause = [] if order.pause_after is None else [Errand(now + order.pause_after, run, "pause", {})]
    return words + cancel + pause
