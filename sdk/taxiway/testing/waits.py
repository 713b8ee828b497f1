"""Waits of a played run, and the table of what ends each kind of wait."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from taxiway import authorizations
from taxiway.approvals import APPROVAL
from taxiway.authorizations import AUTHORIZATION
from taxiway.children import CHILD
from taxiway.shapes import Shape
from taxiway.testing.outcome import Asked
from taxiway.waits import LONGEST, SIGNAL, TIMER, USER, Settled, Wish

START: Final = "start"
HINTS: Final = {
    "approval": "approve({0!r}) or deny({0!r})",
    "authorization": "grant({0!r}) or deny({0!r})",
    "answer": "answer({0!r}, …)",
    "signal": "signal({0!r}, …)",
    "resume": "resume({0!r})",
    "child": "child({0!r}, result=…)",
}
"""The call that ends a wait, by what the wait takes. A wait that takes nothing ends by itself."""


@dataclass(frozen=True)
class Answer:
    """The outcome of a wait; `text` is the answer as JSON text."""

    outcome: str | None
    text: str | None = None
    by: str | None = None
    comment: str | None = None


@dataclass
class Waiting:
    """A wait that a park opened: `opened` and `due` by the run's clock, `park` is the number of the newest park on it."""

    key: str
    kind: str
    request: dict[str, Any]
    opened: float
    due: float | None
    on_due: str | None
    shape: Shape | None
    park: int
    agent: str | None = None
    told: Answer = field(default_factory=lambda: Answer(None))
    told_at: str | None = None

    @classmethod
    def opened_by(cls, item: dict[str, Any], wish: Wish | None, now: float, park: int) -> Waiting:
        """Open a wait as a `park` frame describes it."""
        due = None if item["dueMs"] is None else now + item["dueMs"] / 1000
        shape, agent = getattr(wish, "shape", None), getattr(wish, "agent", None)
        return cls(item["key"], item["kind"], json.loads(item["request"]), now, due, item["onDue"], shape, park, agent)

    @property
    def title(self) -> str:
        """Its name for people: its prompt, provider, the name of its signal, the reason of its pause, the child's agent."""
        if self.agent is not None:
            return self.agent
        return str(
            next(
                (self.request[name] for name in ("prompt", "provider", "signal", "reason") if name in self.request),
                self.key,
            )
        )

    @property
    def takes(self) -> str | None:
        """What ends it, as a key of `HINTS`; None if it ends by itself."""
        if self.kind == APPROVAL:
            return "answer" if "answer" in self.request else "approval"
        ends = {AUTHORIZATION: "authorization", SIGNAL: "signal", USER: "resume", CHILD: "child", TIMER: None}
        return ends[self.kind]

    @property
    def is_left_to_default(self) -> bool:
        """Whether no time-out was set: a test that gives nothing has forgotten it, rather than meant the default of days."""
        default = authorizations.LONGEST if self.kind == AUTHORIZATION else LONGEST
        return self.takes is not None and self.due is not None and self.due - self.opened == default

    @property
    def ended_by(self) -> str | None:
        """The child whose end it awaits: the key of the call that started it, and its place in that call."""
        return str(self.request["signal"]).partition("/")[2] if self.kind == CHILD else None

    def tell(self, answer: Answer, at: str) -> None:
        """Set the wait's only outcome."""
        self.told, self.told_at = answer, at

    def settled(self) -> Settled:
        """Return the wait as the next activation receives it."""
        told = self.told
        title = None if self.title == self.key else self.title[:60]
        return Settled(self.key, told.outcome, told.text, told.by, told.comment, self.told_at, title=title)

    def asked(self) -> Asked:
        """Return the question for the test."""
        request, told = self.request, self.told
        answer = None if told.text is None else json.loads(told.text)
        details = request.get("details")
        if self.kind == AUTHORIZATION:
            details = {name: request[name] for name in ("subject", "scopes", "url")}
        return Asked(
            self.title,
            details,
            request.get("choices"),
            request.get("approvers"),
            (request.get("step") or {}).get("name"),
            told.outcome,
            (answer or {}).get("choice", (answer or {}).get("answer")),
            told.by,
            told.comment,
        )
