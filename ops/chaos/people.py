"""Simulated people: cancel, pause, resume, answer questions (sometimes two concurrently) and send words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from random import Random

from ops.chaos.journal import Decided, Journal
from ops.chaos.load import Api, Errand

EVERY = 0.2
DENIES = 0.1
TWO_AT_ONCE = 0.3
THINKS = 1.5
"""Maximum of seconds for which a person thinks."""
AT_LAST = 100
"""Questions that are read at a time."""


@dataclass(frozen=True)
class Person:
    """A person with their own connections."""

    name: str
    api: Api


class People:
    """Carries out due errands, resumes runs parked by their code or a user, and answers questions."""

    def __init__(
        self, persons: tuple[Person, Person], journal: Journal, errands: Callable[[], list[Errand]],
        parked: Callable[[], list[str]], dice: Random,
    ) -> None:  # fmt: skip
        self._persons, self._journal, self._errands, self._parked, self._dice = persons, journal, errands, parked, dice
        self._thinking: dict[str, float] = {}
        """The known questions, and when each is answered."""

    @property
    def _api(self) -> Api:
        return self._persons[0].api

    def run(self, stopping: threading.Event) -> None:
        while not stopping.wait(EVERY):
            self.step()

    def step(self) -> None:
        """Do everything that is due."""
        for together in _at_one_time(self._errands()):
            self._at_once([partial(self._carry_out, errand) for errand in together])
        for run in self._parked():
            self._api.post(f"/v1/runs/{run}/resume", {})
        for question in self._api.get(f"/v1/approvals?status=open&limit={AT_LAST}").get("approvals", []):
            wait, now = question["waitId"], time.monotonic()
            if now >= self._thinking.setdefault(wait, now + self._dice.uniform(0, THINKS)):
                self._answer(wait, question["runId"])

    def _at_once(self, calls: Sequence[Callable[[Api], None]]) -> None:
        """Make each call by a different person, all concurrently; raises the error of any."""
        with ThreadPoolExecutor(len(self._persons)) as threads:
            for done in [threads.submit(call, one.api) for one, call in zip(self._persons, calls, strict=False)]:
                done.result()

    def _carry_out(self, errand: Errand, api: Api) -> None:
        answer = api.post(f"/v1/runs/{errand.run}/{errand.what}", errand.body)
        if errand.what == "cancel" and answer is not None and answer.status_code in (200, 202):
            self._journal.accepted[errand.run].cancel_taken = True

    def _answer(self, wait: str, run: str) -> None:
        """Decide a question: alone, or against a concurrent decision of another person."""
        wanted = ["deny" if self._dice.random() < DENIES else "approve"]
        if self._dice.random() < TWO_AT_ONCE:
            wanted.append("approve")
        self._at_once([partial(self._decide, wait, run, decision) for decision in wanted])

    def _decide(self, wait: str, run: str, decision: str, api: Api) -> None:
        # The comment names the question: an agent that receives it for another question would show that.
        answer = api.post(f"/v1/approvals/{wait}", {"decision": decision, "comment": wait})
        if answer is not None and answer.status_code == 200:
            self._journal.decide(Decided(wait, run, decision))


def due(errands: list[Errand]) -> list[Errand]:
    """Remove and return the errands that are due."""
    now = time.monotonic()
    ready = [errand for errand in errands if errand.at <= now]
    for errand in ready:
        errands.remove(errand)
    return ready


def _at_one_time(errands: list[Errand]) -> list[list[Errand]]:
    """Group the errands of several people on one run at the same time."""
    together: dict[tuple[str, float], list[Errand]] = {}
    for errand in errands:
        together.setdefault((errand.run, errand.at), []).append(errand)
    return list(together.values())
