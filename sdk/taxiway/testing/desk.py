"""Waits of a played run: ends them in the order of their times, and decides whether the run continues."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from taxiway.approvals import APPROVAL
from taxiway.authorizations import AUTHORIZATION
from taxiway.errors import AUTHORIZATION_FAILED, DENIED, TIMEOUT
from taxiway.testing.clock import Clock
from taxiway.testing.errors import Unanswered
from taxiway.testing.family import Family
from taxiway.testing.given import Authorization, Given, take
from taxiway.testing.grants import Grants
from taxiway.testing.outcome import Asked, Error
from taxiway.testing.waits import HINTS, Answer, Waiting
from taxiway.waits import Settled, Wish


@dataclass(frozen=True)
class Verdict:
    """The end of a run."""

    status: str
    reason: str | None = None
    error: Error | None = None
    result: Any = None
    next_input: Any = None


# The order at the same moment: what had arrived before, then the time-out of the wait, then what arrives now.
_EARLY, _DUE, _LATE = -1, 0, 1


@dataclass(frozen=True)
class _Coming:
    when: float
    rank: int
    wait: Waiting
    answer: Callable[[Waiting], Answer]
    given: Given | None = None


class Desk:
    """Receives decisions and signals; takes the place of people, other systems, the server and its clock."""

    def __init__(self, clock: Clock, left: list[Given], family: Family, grants: Grants) -> None:
        self._clock = clock
        self._grants = grants
        self._left = left
        self._family = family
        self._waits: list[Waiting] = []
        self._open: dict[str, Waiting] = {}
        self._over: list[Waiting] = []
        self._park = 0

    def settled(self) -> list[Settled]:
        """Return all waits as the next activation receives them: ended ones first, in the order of their ends."""
        return [wait.settled() for wait in (*self._over, *self._open.values())]

    def asked(self) -> list[Asked]:
        """Return the questions to people, in order."""
        return [wait.asked() for wait in self._waits if wait.kind in (APPROVAL, AUTHORIZATION)]

    def park(self, waits: Iterable[Mapping[str, Any]], wake: str, wishes: Mapping[str, Wish]) -> Verdict | None:
        """Advance the time until `all` or `any` of these waits have ended. Returns a verdict if a refusal ended the run.

        Raises Unanswered, or Refused.
        """
        self._family.bring_up()
        self._park += 1
        for item in waits:
            self._open_one(dict(item), wishes.get(item["key"]))
        while True:
            wait = self._end_next()
            if wait.park != self._park:
                continue  # a wait of an earlier park, which does not wake the run now
            if (verdict := _verdict(wait)) is not None:
                return verdict
            if not self._still_parked(wake):
                return None

    def withdraw(self) -> None:
        """Withdraw all open waits: the run has ended."""
        self.give_up(list(self._open))

    def give_up(self, keys: Iterable[str]) -> None:
        """Withdraw these waits: the agent has given them up."""
        for key in keys:
            if (wait := self._open.pop(key, None)) is not None:
                wait.tell(Answer("withdrawn"), self._clock.text())

    def waited(self) -> list[str]:
        """Return the titles of the waits that something given could have ended."""
        return [wait.title for wait in self._waits if wait.takes]

    def _open_one(self, item: dict[str, Any], wish: Wish | None) -> None:
        """Open a wait; one that is already open stays as it is, and wakes this park too."""
        known = self._open.get(item["key"])
        if known is not None:
            known.park = self._park
            return
        wait = self._open[item["key"]] = Waiting.opened_by(item, wish, self._clock.now, self._park)
        self._waits.append(wait)

    def _still_parked(self, wake: str) -> bool:
        return wake == "all" and any(wait.park == self._park for wait in self._open.values())

    def _end_next(self) -> Waiting:
        """Advance the clock to the next arrival, and end its wait."""
        coming = [*self._given(), *self._ends(), *self._due()]
        if not coming:
            raise self._unanswered(next(wait for wait in self._open.values() if wait.park == self._park))
        comes = min(coming, key=lambda one: (one.when, one.rank))
        wait, given = comes.wait, comes.given
        if comes.rank == _DUE and wait.park == self._park and wait.is_left_to_default:
            raise self._unanswered(wait)
        told = comes.answer(wait)
        self._clock.reach(comes.when)
        wait.tell(told, self._clock.text())
        self._over.append(self._open.pop(wait.key))
        if isinstance(given, Authorization):
            self._grants.give(wait.request, given)
        if given is not None:
            take(self._left, given)
        return wait

    def _given(self) -> Iterator[_Coming]:
        left = list(self._left)
        for wait in self._open.values():
            if (given := next((one for one in left if one.fits(wait)), None)) is not None:
                take(left, given)
                yield _Coming(given.when(wait), _EARLY if given.is_in_time(wait) else _LATE, wait, given.answer, given)

    def _ends(self) -> Iterator[_Coming]:
        for wait in self._open.values():
            if (when := self._family.end(wait)) is not None:
                yield _Coming(when, _EARLY, wait, self._family.answer)

    def _due(self) -> Iterator[_Coming]:
        for wait in self._open.values():
            if wait.due is not None and wait.on_due is not None:
                yield _Coming(wait.due, _DUE, wait, _overdue)

    def _unanswered(self, wait: Waiting) -> Unanswered:
        if (stuck := self._family.stuck(wait)) is not None:
            return stuck
        give = HINTS[wait.takes or "resume"].format(wait.title)
        days = f", or expire({wait.title!r}) to let its time run out" if wait.due is not None else ""
        unused = f" Not used so far: {', '.join(one.said for one in self._left)}." if self._left else ""
        return Unanswered(f"nobody answered {wait.title!r}; give {give}{days}.{unused}")


def _overdue(wait: Waiting) -> Answer:
    return Answer(wait.on_due)


def _verdict(wait: Waiting) -> Verdict | None:
    """Return the verdict if the outcome of a wait ends the run immediately; None if the run continues."""
    policy = wait.request.get("onDeny")
    if wait.told.outcome not in ("denied", "failed") or policy not in ("cancel", "fail"):
        return None
    reason = TIMEOUT if wait.told.by is None else DENIED
    if policy == "cancel":
        return Verdict("CANCELED", reason)
    if wait.kind == AUTHORIZATION:
        message = wait.told.comment or "the authorization was not given"
        return Verdict("FAILED", AUTHORIZATION_FAILED, Error(AUTHORIZATION_FAILED, "AuthorizationFailed", message))
    return Verdict("FAILED", reason, Error(reason, "ApprovalDenied", wait.told.comment or "the approval was denied"))
