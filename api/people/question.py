"""Questions for people: reads them, and shows them to holders of the link, in the inbox and on the page."""

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
    """A wait for a person, with the run that asks. `late`: its time is over, so it is too late to decide."""

    wait: Wait
    run: Run
    late: bool
    input_text: str | None = None

    @property
    def asked(self) -> Mapping[str, Any]:
        """The request, as the agent wrote it."""
        return cast("Mapping[str, Any]", self.wait.request)

    @property
    def prompt(self) -> str:
        """The question in one sentence."""
        return str(self.asked["prompt"])

    @property
    def details(self) -> Any:
        """The subject of the decision, any JSON value; for an approval to start, the run's agent and input."""
        if self.asked.get("subject") == START:
            return {"agent": self.run.agent} | ({} if self.input_omitted else {"input": as_value(self.input_text)})
        return self.asked.get("details")

    @property
    def input_omitted(self) -> bool:
        """Whether the input is too long for the details in a list."""
        return self.asked.get("subject") == START and self.input_text is None

    @property
    def choices(self) -> Sequence[str] | None:
        """The ways to approve, if the decision must choose one."""
        return self.asked.get("choices")

    @property
    def approvers(self) -> Sequence[str] | None:
        """The roles that may decide; a key needs one of them."""
        return self.asked.get("approvers")

    @property
    def answer_schema(self) -> Any:
        """The JSON Schema of the answer; None for an approval."""
        return self.asked.get("answer")

    @property
    def closed(self) -> bool:
        """Whether it is too late to decide."""
        return self.late or self.wait.resolved_at is not None

    @property
    def expired(self) -> bool:
        """Whether a timeout closed it, rather than a person or the end of the run."""
        by_clock = self.wait.decided_by is None and self.wait.outcome != "withdrawn"
        return self.closed and by_clock


def given_up(wait: Wait, run: Run) -> bool:
    """Return whether the agent withdrew the question before its run ended; the end of a run withdraws all open questions."""
    before_the_end = run.finished_at is None or (wait.resolved_at is not None and wait.resolved_at < run.finished_at)
    return wait.outcome == "withdrawn" and before_the_end


@dataclass(frozen=True, slots=True)
class Page:
    """Selection of questions: of a tenant, or of one of its runs, older than the wait `below`."""

    tenant: str
    decided: bool
    limit: int
    below: UUID | None = None
    run: UUID | None = None


def as_value(text: str | None) -> Any:
    """Decode a stored input; it was checked when it was stored."""
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
    """Read a question by the id of its wait; None if it does not exist."""
    with reading() as session:
        found = session.exec(_wanted().where(col(Wait.id) == wait)).first()
    return Question(*found) if found else None


def questions(session: Session, page: Page) -> Sequence[Question]:
    """Read a tenant's open or closed questions, newest first."""
    return [Question(*found) for found in session.exec(listing(page))]


def listing(page: Page) -> Any:
    """Return the query for a page of the inbox; each of the two lists has an index, read from its newest end."""
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
    """Return a question as the API shows it, with its outcome, and with its link for callers that may have it."""
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
    """Return the decision, its author and its time; None while the question is open."""
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
