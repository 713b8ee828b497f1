"""Reads what people are asked, and shows it: to whoever holds the link, in the inbox, on the page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Text, and_, case, func
from sqlalchemy import cast as as_type
from sqlmodel import Session, col, select

from api.http.transactions import reading
from api.links.addresses import approval_link
from api.links.delivery import JOINED_BYTES
from api.shapes import ApprovalBody, OutcomeBody
from models.runs.public_event import timestamp
from models.tables.payload import Payload
from models.tables.run import Run
from models.tables.wait import Wait
from models.waiting.questions import START


@dataclass(frozen=True, slots=True)
class Question:
    """A wait for a person, with the run that asks. `late`: its time is over, and nobody may decide any more."""

    wait: Wait
    run: Run
    late: bool
    input_text: str | None = None

    @property
    def asked(self) -> Mapping[str, Any]:
        """What is asked, as the agent wrote it."""
        return cast("Mapping[str, Any]", self.wait.request)

    @property
    def prompt(self) -> str:
        """The question in one sentence."""
        return str(self.asked["prompt"])

    @property
    def details(self) -> Any:
        """What the decision is about, any JSON value; of a run that asks whether it may begin: its agent and input."""
        if self.asked.get("subject") == START:
            return {"agent": self.run.agent} | ({} if self.input_omitted else {"input": as_value(self.input_text)})
        return self.asked.get("details")

    @property
    def input_omitted(self) -> bool:
        """Whether the input that the details should hold is too long for a list."""
        return self.asked.get("subject") == START and self.input_text is None

    @property
    def choices(self) -> Sequence[str] | None:
        """The ways to approve, of which one is to be chosen."""
        return self.asked.get("choices")

    @property
    def approvers(self) -> Sequence[str] | None:
        """The roles of which a key needs one."""
        return self.asked.get("approvers")

    @property
    def answer_schema(self) -> Any:
        """The JSON Schema of the answer; None where it is approved or denied."""
        return self.asked.get("answer")

    @property
    def closed(self) -> bool:
        """Whether nobody may decide any more."""
        return self.late or self.wait.resolved_at is not None

    @property
    def expired(self) -> bool:
        """Whether the clock closed it, rather than a person or the end of the run."""
        by_clock = self.wait.decided_by is None and self.wait.outcome != "withdrawn"
        return self.closed and by_clock


def given_up(wait: Wait, run: Run) -> bool:
    """Whether the agent withdrew what it asked while its run continued; the end of a run withdraws the rest with itself."""
    before_the_end = run.finished_at is None or (wait.resolved_at is not None and wait.resolved_at < run.finished_at)
    return wait.outcome == "withdrawn" and before_the_end


@dataclass(frozen=True, slots=True)
class Page:
    """Which questions to list: those of a tenant, or of one of its runs, older than the wait `below`."""

    tenant: str
    decided: bool
    limit: int
    below: UUID | None = None
    run: UUID | None = None


def as_value(text: str | None) -> Any:
    """Decode a stored input; it was checked when it came."""
    return None if text is None else json.loads(text)


def _wanted(*, listed: bool = False) -> Any:
    about_start = and_(col(Payload.run_id) == col(Wait.run_id), col(Wait.key) == START)
    late: ColumnElement[bool] = func.coalesce(col(Wait.due_at) <= func.now(), False)
    whole = as_type(col(Payload.input), Text)
    wanted = select(Wait, Run, late, _short(whole) if listed else whole)
    joined = wanted.join(Run, col(Run.id) == col(Wait.run_id)).outerjoin(Payload, about_start)
    return joined.where(col(Wait.kind) == "approval")


def _short(input_text: Any) -> Any:
    return case((func.octet_length(input_text) <= JOINED_BYTES, input_text))


def find_question(wait: UUID) -> Question | None:
    """Read the question that this wait is; None when there is none."""
    with reading() as session:
        found = session.exec(_wanted().where(col(Wait.id) == wait)).first()
    return Question(*found) if found else None


def questions(session: Session, page: Page) -> Sequence[Question]:
    """Read a tenant's questions that are open, or over, newest first."""
    return [Question(*found) for found in session.exec(listing(page))]


def listing(page: Page) -> Any:
    """Write the query for a page of the inbox; each of the two lists is an index, read from its newest end."""
    over = col(Wait.resolved_at).is_not(None) if page.decided else col(Wait.resolved_at).is_(None)
    wanted = (
        _wanted(listed=True)
        .where(col(Wait.tenant) == page.tenant, over)
        .order_by(col(Wait.id).desc())
        .limit(page.limit)
    )
    wanted = wanted if page.run is None else wanted.where(col(Wait.run_id) == page.run)
    return wanted if page.below is None else wanted.where(col(Wait.id) < page.below)


def shown(question: Question, *, link: bool) -> ApprovalBody:
    """Show a question, and what came of it; with its link for those who may have it."""
    wait, asked = question.wait, question.asked
    body: ApprovalBody = {
        "waitId": str(wait.id),
        "runId": str(question.run.id),
        "runStatus": cast("Any", question.run.status),
        "agent": question.run.agent,
        "prompt": question.prompt,
        "details": question.details,
        "choices": cast("Any", question.choices),
        "answer": question.answer_schema,
        "approvers": cast("Any", question.approvers),
        "step": asked.get("step"),
        "openedAt": timestamp(wait.opened_at),
        "expiresAt": timestamp(wait.due_at),
        "digest": wait.digest,
        "approvalUrl": approval_link(wait.id, wait.nonce) if link and wait.nonce else None,
        "outcome": outcome(question),
    }
    if question.input_omitted:
        body["inputOmitted"] = True
    return body


def outcome(question: Question) -> OutcomeBody | None:
    """Say who decided what and when; None while somebody still may."""
    if not question.closed:
        return None
    wait = question.wait
    at: datetime | None = wait.resolved_at or wait.due_at
    answer = cast("Mapping[str, Any]", wait.answer or {})
    return {
        "outcome": cast("Any", wait.outcome or wait.on_due),
        "choice": answer.get("choice"),
        "answer": answer.get("answer"),
        "by": wait.decided_by,
        "comment": wait.comment,
        "at": timestamp(at),
    }
