"""Decisions, answers and signals that a test gives a run in advance. Each is used once, for the first wait that it fits.

A pattern matches as in a shell (`*` and `?`), against the prompt, the name of the signal or the reason of the pause.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from taxiway.decode import decode
from taxiway.errors import InvalidValue
from taxiway.testing.errors import Refused
from taxiway.testing.outcome import Error, Outcome
from taxiway.testing.waits import Answer, Waiting


@dataclass(frozen=True)
class Given:
    """Something given in advance; `said` is its text in the test."""

    said: str
    pattern: str
    after: float = 0.0

    @property
    def is_kept(self) -> bool:
        """Whether it is kept until the run waits for it."""
        return False

    def fits(self, wait: Waiting) -> bool:
        """Return whether this is for that wait."""
        raise NotImplementedError

    def when(self, wait: Waiting) -> float:
        """Return when it arrives: `after` the wait was opened."""
        return wait.opened + self.after

    def is_in_time(self, wait: Waiting) -> bool:  # noqa: ARG002 - signals look at it
        """Return whether it counts even if the wait times out at the same moment."""
        return False

    def answer(self, wait: Waiting) -> Answer:
        """Return the outcome of the wait; raise Refused for what a server would refuse."""
        raise NotImplementedError


@dataclass(frozen=True)
class _Decision(Given):
    step: str | None = None
    choice: str | None = None
    comment: str | None = None
    by: str = "test"

    def fits(self, wait: Waiting) -> bool:
        name = (wait.request.get("step") or {}).get("name")
        if self.step is not None and not (name and _matches(name, self.step)):
            return False
        return wait.takes == "approval" and _matches(wait.title, self.pattern)


class Approval(_Decision):
    """An approval, with one of the question's choices if it has any."""

    def answer(self, wait: Waiting) -> Answer:
        choices: Sequence[str] = wait.request.get("choices") or ()
        if self.choice is None and choices:
            raise Refused(f"{self.said}: {wait.title!r} needs a choice, one of: {', '.join(map(repr, choices))}")
        if self.choice is not None and self.choice not in choices:
            offered = ", ".join(map(repr, choices)) or "none"
            raise Refused(f"{self.said}: {wait.title!r} has no choice {self.choice!r}; its choices are: {offered}")
        text = None if self.choice is None else json.dumps({"choice": self.choice})
        return Answer("approved", text, self.by, self.comment)


class Denial(_Decision):
    """A denial."""

    def fits(self, wait: Waiting) -> bool:
        asks = wait.takes == "authorization" and self.step is None
        return super().fits(wait) or (asks and _matches(wait.title, self.pattern))

    def answer(self, wait: Waiting) -> Answer:  # noqa: ARG002 - everything can be denied
        return Answer("denied", None, self.by, self.comment)


@dataclass(frozen=True)
class Authorization(Given):
    """An authorization: given when the run asks for it, or (`held`) before the run began, so that nobody is asked."""

    token: str | None = None
    subject: str | None = None
    held: bool = False

    def fits(self, wait: Waiting) -> bool:
        """Return whether this is for that wait."""
        whose, where = wait.request.get("subject"), wait.request.get("provider")
        return wait.takes == "authorization" and not self.held and self.is_for(str(where), str(whose))

    def is_for(self, provider: str, subject: str) -> bool:
        """Return whether it is at this provider, for this subject."""
        return self.subject in (None, subject) and _matches(provider, self.pattern)

    def answer(self, wait: Waiting) -> Answer:  # noqa: ARG002 - every request is granted
        """Return that it is authorized."""
        return Answer("authorized")


@dataclass(frozen=True)
class Reply(Given):
    """An answer to a question."""

    value: Any = None
    by: str = "test"

    def fits(self, wait: Waiting) -> bool:
        return wait.takes == "answer" and _matches(wait.title, self.pattern)

    def answer(self, wait: Waiting) -> Answer:
        value = _checked(self, wait, self.value)
        return Answer("answered", json.dumps({"answer": value}), self.by)


@dataclass(frozen=True)
class Signal(Given):
    """A message to the run, kept until the run waits for it."""

    payload: Any = None

    @property
    def is_kept(self) -> bool:
        return True

    def fits(self, wait: Waiting) -> bool:
        return wait.takes == "signal" and wait.title == self.pattern

    def when(self, wait: Waiting) -> float:
        """Return when it is received: `after` the run began, or later, when the run waits for it."""
        return max(self.after, wait.opened)

    def is_in_time(self, wait: Waiting) -> bool:
        return self.after <= wait.opened

    def answer(self, wait: Waiting) -> Answer:
        # The server checks a signal only against an open wait; an earlier signal has no type to be checked against.
        payload = self.payload if self.after <= wait.opened else _checked(self, wait, self.payload)
        return Answer("received", json.dumps(payload))


@dataclass(frozen=True)
class Resumption(Given):
    """The end of a pause that the agent made."""

    by: str = "test"

    def fits(self, wait: Waiting) -> bool:
        return wait.takes == "resume" and _matches(wait.title, self.pattern)

    def answer(self, wait: Waiting) -> Answer:  # noqa: ARG002 - the same for every pause
        return Answer("resumed", None, self.by)


@dataclass(frozen=True)
class ChildEnd(Given):
    """The end of a child that is not played; it is for the child itself, not for a wait on it."""

    result: Any = None
    error: Error | None = None
    status: str = "SUCCESS"

    def fits(self, wait: Waiting) -> bool:  # noqa: ARG002 - the same for every wait
        """Return False: it is for no wait."""
        return False

    def is_for(self, agent: str) -> bool:
        """Return whether it is for a child with this agent."""
        return _matches(agent, self.pattern)

    def outcome(self) -> Outcome:
        """Return the outcome of the child."""
        reason = self.error.code if self.error else "by_user" if self.status == "CANCELED" else None
        return Outcome(self.status, reason, self.result, self.error, slept=self.after)


@dataclass(frozen=True)
class Expiry(Given):
    """A time-out of the wait, even if it takes the default of several days."""

    def fits(self, wait: Waiting) -> bool:
        """Return whether this is for that wait."""
        return wait.due is not None and wait.takes is not None and _matches(wait.title, self.pattern)

    def when(self, wait: Waiting) -> float:
        """Return when the wait times out."""
        assert wait.due is not None
        return wait.due

    def is_in_time(self, wait: Waiting) -> bool:  # noqa: ARG002 - it is that time itself
        """Return True: it is the time-out."""
        return True

    def answer(self, wait: Waiting) -> Answer:
        """Return the wait's outcome on time-out."""
        return Answer(wait.on_due)


def take(left: list[Given], given: Given) -> None:
    """Remove this object; equal ones may have been given."""
    del left[next(place for place, one in enumerate(left) if one is given)]


def _matches(title: str, pattern: str) -> bool:
    return title == pattern or fnmatchcase(title, pattern)  # equality is for titles with a `[`


def _checked(given: Given, wait: Waiting, value: Any) -> Any:
    if wait.shape is None:
        return value
    try:
        decode(wait.shape, value)
    except InvalidValue as problem:
        raise Refused(f"{given.said} is not an answer to {wait.title!r}: {problem}") from None
    return value
