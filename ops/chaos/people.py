"""People who do what people do: cancel, pause, resume, answer questions (two at once, at times) and send words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from random import Random

from ops.chaos.book import Book, Decided
from ops.chaos.load import Api, Errand

EVERY = 0.2
DENIES = 0.1
TWO_AT_ONCE = 0.3
THINKS = 1.5
"""Seconds for which a person thinks, at most."""
AT_LAST = 100
"""Questions that are read at a time."""


@dataclass(frozen=True)
class Person:
    """Somebody with connections of their own."""

    name: str
    api: Api


class People:
    """Carry errands out when they are due, resume what is parked because of its code or a user, and answer questions."""

    def __init__(
        self, persons: tuple[Person, Person], book: Book, errands: Callable[[], list[Errand]], parked: Callable[[], list[str]],
        dice: Random,
    ) -> None:  # fmt: skip
        self._persons, self._book, self._errands, self._parked, self._dice = persons, book, errands, parked, dice
        self._thinking: dict[str, float] = {}
        """The questions that were seen, and when each is answered."""

    @property
    def _api(self) -> Api:
        return self._persons[0].api

    def run(self, stopping: threading.Event) -> None:
        while not stopping.wait(EVERY):
            self.step()

    def step(self) -> None:
        """Do what is due now."""
        for together in _at_one_time(self._errands()):
            self._at_once([partial(self._carry_out, errand) for errand in together])
        for run in self._parked():
            self._api.post(f"/v1/runs/{run}/resume", {})
        for question in self._api.get(f"/v1/approvals?status=open&limit={AT_LAST}").get("approvals", []):
            wait, now = question["waitId"], time.monotonic()
            if now >= self._thinking.setdefault(wait, now + self._dice.uniform(0, THINKS)):
                self._answer(wait, question["runId"])

    def _at_once(self, calls: Sequence[Callable[[Api], None]]) -> None:
        """Have each call made by a person of its own, all at the same time; raises what went wrong in any."""
        with ThreadPoolExecutor(len(self._persons)) as threads:
            for done in [threads.submit(call, one.api) for one, call in zip(self._persons, calls, strict=False)]:
                done.result()

    def _carry_out(self, errand: Errand, api: Api) -> None:
        answer = api.post(f"/v1/runs/{errand.run}/{errand.what}", errand.body)
        if errand.what == "cancel" and answer is not None and answer.status_code in (200, 202):
            self._book.accepted[errand.run].cancel_taken = True

    def _answer(self, wait: str, run: str) -> None:
        """Decide a question: alone, or against somebody who decides it at the same time."""
        wanted = ["deny" if self._dice.random() < DENIES else "approve"]
        if self._dice.random() < TWO_AT_ONCE:
            wanted.append("approve")
        self._at_once([partial(self._decide, wait, run, decision) for decision in wanted])

    def _decide(self, wait: str, run: str, decision: str, api: Api) -> None:
        # The comment says what was decided about: an agent that hears it of another question would show that.
        answer = api.post(f"/v1/approvals/{wait}", {"decision": decision, "comment": wait})
        if answer is not None and answer.status_code == 200:
            self._book.decide(Decided(wait, run, decision))


def due(errands: list[Errand]) -> list[Errand]:
    """Take the errands out whose time has come."""
    now = time.monotonic()
    ready = [errand for errand in errands if errand.at <= now]
    for errand in ready:
        errands.remove(errand)
    return ready


def _at_one_time(errands: list[Errand]) -> list[list[Errand]]:
    """Put together what several people want of one run at the very same time."""
    together: dict[tuple[str, float], list[Errand]] = {}
    for errand in errands:
        together.setdefault((errand.run, errand.at), []).append(errand)
    return list(together.values())
