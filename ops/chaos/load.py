"""Clients that enqueue what was ordered and try again until they have a definite answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from ops.chaos.book import Accepted, Book
from ops.chaos.orders import Order

RETRY = 0.25
OK = (200, 201)
OVER = 90.0
"""Seconds after which a request without any definite answer is itself a finding."""


class Api:
    """The public door, as a client sees it that trusts nothing but a definite answer."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=10, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> httpx.Response | None:
        """Send until the answer is definite (no connection error, no 5xx, no 429); None when none came for long."""
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


class Client:
    """Enqueues its orders one after the other, while not too much is waiting."""

    def __init__(self, api: Api, orders: Iterator[Order], book: Book, waiting: Callable[[], bool]) -> None:
        self._api, self._orders, self._book, self._waiting = api, orders, book, waiting
        self.cancels: list[tuple[float, str]] = []

    def run(self, stopping: threading.Event) -> None:
        """Enqueue until told to stop; the request under way is brought to its end."""
        for order in self._orders:
            while self._waiting() and not stopping.wait(0.1):
                pass
            if stopping.wait(order.pause):
                return
            self.enqueue(order)

    def enqueue(self, order: Order) -> None:
        """Bring one order to a definite answer."""
        runs = [{"agent": order.agent, "input": given} for given in order.inputs]
        path = "/v1/runs/batch" if order.batch else "/v1/runs"
        answer = self._api.post(path, {"runs": runs} if order.batch else runs[0], order.key)
        if answer is None or answer.status_code not in OK:
            said = f"{answer.status_code} {answer.text[:300]}" if answer is not None else f"nothing for {OVER:.0f} s"
            self._book.complain("api", "", f"enqueueing {order.agent} was answered with {said}")
            return
        shown = answer.json()
        ids = [run["runId"] for run in shown["runs"]] if order.batch else [shown["runId"]]
        made = zip(ids, order.inputs, strict=True)
        self._book.accept([Accepted(run, order.key, order.agent, given) for run, given in made])
        if order.cancel_after is not None:
            self.cancels.append((time.monotonic() + order.cancel_after, ids[0]))


class People:
    """Those who cancel runs, and who resume the ones that were parked because their code had changed."""

    def __init__(self, api: Api, book: Book, clients: list[Client], parked: Callable[[], list[str]]) -> None:
        self._api, self._book, self._clients, self._parked = api, book, clients, parked

    def run(self, stopping: threading.Event) -> None:
        while not stopping.wait(0.2):
            self.step()

    def step(self) -> None:
        """Cancel what is due, resume what is parked."""
        now = time.monotonic()
        for client in self._clients:
            for due in [one for one in client.cancels if one[0] <= now]:
                client.cancels.remove(due)
                self._book.accepted[due[1]].cancel_asked = True
                self._api.post(f"/v1/runs/{due[1]}/cancel", {"reason": "chaos"})
        for run in self._parked():
            self._api.post(f"/v1/runs/{run}/resume", {})
