"""Ends the waits of a played run in the order of their times, and says what follows: the run goes on, or is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from taxiway.approvals import APPROVAL
from taxiway.errors import DENIED, TIMEOUT
from taxiway.testing.clock import Clock
from taxiway.testing.errors import Unanswered, Unused
from taxiway.testing.given import Given
from taxiway.testing.outcome import Asked, Error
from taxiway.testing.waits import HINTS, Answer, Waiting
from taxiway.waits import Settled, Wish


@dataclass(frozen=True)
class Verdict:
    """How a run ended."""

    status: str
    reason: str | None = None
    error: Error | None = None
    result: Any = None


class Desk:
    """Where decisions and signals come in; it stands for people, other systems, the server and its clock."""

    def __init__(self, clock: Clock, given: Iterable[Given]) -> None:
        self._clock = clock
        # Equal signals are received in the order of their times, all else is used in the order in which it was given.
        self._left = sorted(given, key=lambda one: one.after if one.is_kept else 0.0)
        self._waits: list[Waiting] = []
        self._over: list[Waiting] = []
        self._park = 0

    def settled(self) -> list[Settled]:
        """Return what the next activation is told of all waits: those that are over first, in the order of their ends."""
        return [wait.settled() for wait in (*self._over, *self._open())]

    def asked(self) -> list[Asked]:
        """Return what people were asked, in order."""
        return [wait.asked() for wait in self._waits if wait.kind == APPROVAL]

    def park(self, waits: Iterable[Mapping[str, Any]], wake: str, wishes: Mapping[str, Wish]) -> Verdict | None:
        """Let time pass until `all` or `any` of these are over. Returns how the run ended, if a refusal ended it.

        Raises Unanswered, or Refused.
        """
        self._park += 1
        for item in waits:
            self._open_one(dict(item), wishes.get(item["key"]))
        while True:
            wait = self._end_next()
            if wait.park == self._park and (verdict := _verdict(wait)) is not None:
                return verdict
            if not self._still_parked(wake):
                return None

    def withdraw(self) -> None:
        """The run is over: nobody need answer any more."""
        for wait in self._open():
            wait.tell(Answer("withdrawn"), self._clock.text())

    def check_all_used(self, verdict: Verdict) -> None:
        """Raise Unused when something was given for nothing."""
        if self._left:
            given = ", ".join(one.said for one in self._left)
            waited = ", ".join(repr(wait.title) for wait in self._waits if wait.takes) or "nobody"
            raise Unused(
                f"nothing that the run waited for took {given}; it waited for {waited}, and is {verdict.status}"
            )

    def _open(self) -> list[Waiting]:
        return [wait for wait in self._waits if wait.is_open]

    def _open_one(self, item: dict[str, Any], wish: Wish | None) -> None:
        """Open a wait; one that is open already stays as it is, and the run waits for it again."""
        known = next((wait for wait in self._open() if wait.key == item["key"]), None)
        if known is not None:
            known.park = self._park
        else:
            self._waits.append(Waiting.opened_by(item, wish, self._clock.now, self._park))

    def _still_parked(self, wake: str) -> bool:
        awaited = [wait for wait in self._waits if wait.park == self._park]
        return all(wait.is_open for wait in awaited) if wake == "any" else any(wait.is_open for wait in awaited)

    def _end_next(self) -> Waiting:
        """Move the clock to what comes next, and end the wait that it is for."""
        coming = [*self._given(), *self._due()]
        if not coming:
            raise self._unanswered(next(wait for wait in self._open() if wait.park == self._park))
        when, _, wait, given = min(coming, key=lambda one: one[:2])
        if given is None and wait.park == self._park and wait.is_left_to_default:
            raise self._unanswered(wait)
        told = Answer(wait.on_due) if given is None else given.answer(wait)
        self._clock.reach(when)
        wait.tell(told, self._clock.text())
        self._over.append(wait)
        if given is not None:
            _take(self._left, given)
        return wait

    def _given(self) -> Iterable[tuple[float, int, Waiting, Given]]:
        left = list(self._left)
        for wait in self._open():
            if (given := next((one for one in left if one.fits(wait)), None)) is not None:
                _take(left, given)
                yield given.when(wait), -1 if given.is_in_time(wait) else 1, wait, given

    def _due(self) -> Iterable[tuple[float, int, Waiting, None]]:
        for wait in self._open():
            if wait.due is not None and wait.on_due is not None:
                yield wait.due, 0, wait, None  # who decides at that very moment is too late

    def _unanswered(self, wait: Waiting) -> Unanswered:
        give = HINTS[wait.takes or "resume"].format(wait.title)
        days = f", or expire({wait.title!r}) to let its time run out" if wait.due is not None else ""
        unused = f" Not used so far: {', '.join(one.said for one in self._left)}." if self._left else ""
        return Unanswered(f"nobody answered {wait.title!r}; give {give}{days}.{unused}")


def _take(left: list[Given], given: Given) -> None:
    """Take away this very one: the same may have been given several times."""
    del left[next(place for place, one in enumerate(left) if one is given)]


def _verdict(wait: Waiting) -> Verdict | None:
    """Say how the outcome of a wait ends the run at once; None when the run goes on."""
    policy = wait.request.get("onDeny")
    if wait.told.outcome not in ("denied", "failed") or policy not in ("cancel", "fail"):
        return None
    reason = TIMEOUT if wait.told.by is None else DENIED
    if policy == "cancel":
        return Verdict("CANCELED", reason)
    return Verdict("FAILED", reason, Error(reason, "ApprovalDenied", wait.told.comment or "the approval was denied"))
