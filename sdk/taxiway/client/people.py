"""Questions to people and their decisions, as typed values and calls. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from taxiway.client.calls import Answer, Call, post, segment
from taxiway.client.errors import NoOneQuestion
from taxiway.client.pages import Pages
from taxiway.client.views import Json, moment


@dataclass(frozen=True)
class OutcomeView:
    """The outcome of a question: `approved`, `denied`, `answered`, `expired`, `timeout`, or `withdrawn`.

    A question is withdrawn if the run ended before its decision, or if the agent gave it up.
    """

    outcome: str
    choice: str | None
    answer: Any
    by: str | None
    comment: str | None
    at: datetime | None
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, raw: Json) -> OutcomeView:
        """Build from JSON."""
        return cls(
            outcome=raw["outcome"],
            choice=raw.get("choice"),
            answer=raw.get("answer"),
            by=raw.get("by"),
            comment=raw.get("comment"),
            at=moment(raw.get("at")),
            raw=raw,
        )


@dataclass(frozen=True)
class ApprovalView:
    """A question to people. `answer_schema` is set if it wants an answer, `url` if this key may have the link."""

    id: str
    run_id: str
    run_status: str
    agent: str
    prompt: str
    details: Any
    choices: tuple[str, ...]
    answer_schema: Any
    approvers: tuple[str, ...]
    step: Json | None
    opened_at: datetime | None
    expires_at: datetime | None
    url: str | None
    outcome: OutcomeView | None
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, raw: Json) -> ApprovalView:
        """Build from an item of the inbox; members that are missing become None or empty."""
        return cls(
            id=raw["waitId"],
            run_id=raw["runId"],
            run_status=raw.get("runStatus") or "",
            agent=raw.get("agent") or "",
            prompt=raw.get("prompt") or "",
            details=raw.get("details"),
            choices=tuple(raw.get("choices") or ()),
            answer_schema=raw.get("answer"),
            approvers=tuple(raw.get("approvers") or ()),
            step=raw.get("step"),
            opened_at=moment(raw.get("openedAt")),
            expires_at=moment(raw.get("expiresAt")),
            url=raw.get("approvalUrl"),
            outcome=OutcomeView.read(raw["outcome"]) if raw.get("outcome") else None,
            raw=raw,
        )


@dataclass(frozen=True)
class Decision:
    """A decision, as in the body of its call."""

    decision: str
    more: tuple[tuple[str, Any], ...] = ()

    def call(self, wait_id: str) -> Call[ApprovalView]:
        """POST /v1/approvals/{waitId}."""
        if not wait_id or wait_id in (".", ".."):
            raise ValueError(f"{wait_id!r} is not the id of an approval")
        body = {"decision": self.decision, **dict(self.more)}
        return Call(post(f"/v1/approvals/{segment(wait_id)}", body), _read)


def approval(choice: str | None, comment: str | None) -> Decision:
    """Return an approval; a question with choices needs one of them."""
    return Decision("approve", _given(choice=choice, comment=comment))


def denial(comment: str | None) -> Decision:
    """Return a denial."""
    return Decision("deny", _given(comment=comment))


def reply(answer: Any, comment: str | None) -> Decision:
    """Return an answer."""
    return Decision("answer", (("answer", answer), *_given(comment=comment)))


def inbox(status: str, run_id: str | None, limit: int | None) -> Pages[ApprovalView]:
    """GET /v1/approvals, newest first; `limit` is the maximum over all pages."""
    if limit is not None and limit < 1:
        raise ValueError("limit must be at least 1")
    params = (("status", status), *((("runId", run_id),) if run_id is not None else ()))
    return Pages("/v1/approvals", "approvals", ApprovalView.read, params, limit)


def the_one(found: Sequence[ApprovalView], run_id: str) -> str:
    """Return the id of the run's only question; raise NoOneQuestion if it asks none or more than one."""
    if len(found) == 1:
        return found[0].id
    if not found:
        raise NoOneQuestion(f"Run {run_id} asks no question at the moment.")
    listed = "".join(f"\n  {question.id}  {question.prompt}" for question in found)
    raise NoOneQuestion(f"Run {run_id} asks more than one question; name the one to decide:{listed}")


def _given(**members: str | None) -> tuple[tuple[str, Any], ...]:
    return tuple((name, value) for name, value in members.items() if value is not None)


def _read(answer: Answer) -> ApprovalView:
    return ApprovalView.read(answer.json)
