"""What a test gives a run up front: decisions, answers, signals. Each is used once, for the first wait that it fits.

A pattern is matched as by a shell (`*` and `?`), against the prompt, the name of the signal or the reason of the pause.
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
    """Something given up front; `said` is how the test wrote it."""

    said: str
    pattern: str
    after: float = 0.0

    @property
    def is_kept(self) -> bool:
        """Whether it is kept until somebody waits for it."""
        return False

    def fits(self, wait: Waiting) -> bool:
        """Say whether this is for that wait."""
        raise NotImplementedError

    def when(self, wait: Waiting) -> float:
        """Return when it comes: so long after it was asked for."""
        return wait.opened + self.after

    def is_in_time(self, wait: Waiting) -> bool:  # noqa: ARG002 - signals look at it
        """Say whether it counts even when the wait's time is over at that very moment."""
        return False

    def answer(self, wait: Waiting) -> Answer:
        """Return what comes of the wait; raise Refused for what a server would refuse."""
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
    """Somebody who approves, with one of the choices where there are some."""

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
    """Somebody who denies."""

    def fits(self, wait: Waiting) -> bool:
        asks = wait.takes == "authorization" and self.step is None
        return super().fits(wait) or (asks and _matches(wait.title, self.pattern))

    def answer(self, wait: Waiting) -> Answer:  # noqa: ARG002 - everything can be denied
        return Answer("denied", None, self.by, self.comment)


@dataclass(frozen=True)
class Authorization(Given):
    """Somebody who authorizes: when the run asks for it, or (`held`) before it began, so that nobody is asked."""

    token: str | None = None
    subject: str | None = None
    held: bool = False

    def fits(self, wait: Waiting) -> bool:
        """Say whether this is for that wait."""
        whose, where = wait.request.get("subject"), wait.request.get("provider")
        return wait.takes == "authorization" and not self.held and self.is_for(str(where), str(whose))

    def is_for(self, provider: str, subject: str) -> bool:
        """Say whether it is at this provider, for this subject."""
        return self.subject in (None, subject) and _matches(provider, self.pattern)

    def answer(self, wait: Waiting) -> Answer:  # noqa: ARG002 - all that is asked for is given
        """Say that it is given."""
        return Answer("authorized")


@dataclass(frozen=True)
class Reply(Given):
    """Somebody who answers a question."""

    value: Any = None
    by: str = "test"

    def fits(self, wait: Waiting) -> bool:
        return wait.takes == "answer" and _matches(wait.title, self.pattern)

    def answer(self, wait: Waiting) -> Answer:
        value = _checked(self, wait, self.value)
        return Answer("answered", json.dumps({"answer": value}), self.by)


@dataclass(frozen=True)
class Signal(Given):
    """A message to the run, kept until it waits for it."""

    payload: Any = None

    @property
    def is_kept(self) -> bool:
        return True

    def fits(self, wait: Waiting) -> bool:
        return wait.takes == "signal" and wait.title == self.pattern

    def when(self, wait: Waiting) -> float:
        """Return when it is received: it comes so long after the run began, and is kept until somebody waits for it."""
        return max(self.after, wait.opened)

    def is_in_time(self, wait: Waiting) -> bool:
        return self.after <= wait.opened

    def answer(self, wait: Waiting) -> Answer:
        # The server checks what is waited for already; of what came earlier it did not know what it should be.
        payload = self.payload if self.after <= wait.opened else _checked(self, wait, self.payload)
        return Answer("received", json.dumps(payload))


@dataclass(frozen=True)
class Resumption(Given):
    """Somebody who ends the agent's own pause."""

    by: str = "test"

    def fits(self, wait: Waiting) -> bool:
        return wait.takes == "resume" and _matches(wait.title, self.pattern)

    def answer(self, wait: Waiting) -> Answer:  # noqa: ARG002 - a person says no more
        return Answer("resumed", None, self.by)


@dataclass(frozen=True)
class ChildEnd(Given):
    """What a child comes to, instead of being played; it is for the child itself, not for whoever waits for it."""

    result: Any = None
    error: Error | None = None
    status: str = "SUCCESS"

    def fits(self, wait: Waiting) -> bool:  # noqa: ARG002 - as said
        """Say that it is for no wait."""
        return False

    def is_for(self, agent: str) -> bool:
        """Say whether it is for a child with this agent."""
        return _matches(agent, self.pattern)

    def outcome(self) -> Outcome:
        """Return what the child comes to."""
        reason = self.error.code if self.error else "by_user" if self.status == "CANCELED" else None
        return Outcome(self.status, reason, self.result, self.error, slept=self.after)


@dataclass(frozen=True)
class Expiry(Given):
    """Somebody who does not come: the wait's time runs out, also where that takes its default of days."""

    def fits(self, wait: Waiting) -> bool:
        """Say whether this is for that wait."""
        return wait.due is not None and wait.takes is not None and _matches(wait.title, self.pattern)

    def when(self, wait: Waiting) -> float:
        """Return when its time is over."""
        assert wait.due is not None
        return wait.due

    def is_in_time(self, wait: Waiting) -> bool:  # noqa: ARG002 - it is that time itself
        """Say that it counts."""
        return True

    def answer(self, wait: Waiting) -> Answer:
        """Return what its time-out means."""
        return Answer(wait.on_due)


def take(left: list[Given], given: Given) -> None:
    """Take away this very one: the same may have been given several times."""
    del left[next(place for place, one in enumerate(left) if one is given)]


def _matches(title: str, pattern: str) -> bool:
    return title == pattern or fnmatchcase(title, pattern)  # the first for titles that hold a `[`


def _checked(given: Given, wait: Waiting, value: Any) -> Any:
    if wait.shape is None:
        return value
    try:
        decode(wait.shape, value)
    except InvalidValue as problem:
        raise Refused(f"{given.said} is no answer to {wait.title!r}: {problem}") from None
    return value
