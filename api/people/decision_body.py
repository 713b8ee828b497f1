"""Body of a decision, and the check that it fits its question."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from api.http.fields import Text
from api.http.parsing import Body
from api.http.problems import FieldError, Problem
from api.json_schema.violations import violations
from api.people.question import Question
from api.runs.json_text import storable_text

MAX_COMMENT = 2000


class DecisionBody(Body):
    """A decision."""

    decision: Annotated[
        Literal["approve", "deny", "answer"],
        Field(description="`answer` for a question that asks for an answer, otherwise one of the others."),
    ]
    choice: Annotated[
        Text | None,
        Field(max_length=200, description="One of the choices; needed with `approve` if the question has any."),
    ] = None
    answer: Annotated[
        Any, Field(description="With `answer`: a value that fits the question's JSON Schema; limited like an event.")
    ] = None
    comment: Annotated[
        Text | None, Field(max_length=MAX_COMMENT, description="For the agent and for people; kept in the event.")
    ] = None


class TokenDecisionBody(DecisionBody):
    """A decision by a link."""

    token: Annotated[Text, Field(description="From the link.")]


@dataclass(frozen=True, slots=True)
class CheckedDecision:
    """A decision that fits its question; `answer` is the JSON text to store."""

    outcome: Literal["approved", "denied", "answered"]
    answer: str | None
    comment: str | None


def check_decision(question: Question, body: DecisionBody, max_bytes: int) -> CheckedDecision:
    """Check a decision against its question; raises Problem `invalid_answer` or `payload_too_large`."""
    comment = (body.comment or "").strip() or None
    if question.answer_schema is not None:
        return CheckedDecision("answered", _answer(question, body, max_bytes), comment)
    if body.decision == "answer" or "answer" in body.model_fields_set:
        field = "decision" if body.decision == "answer" else "answer"
        raise _unfit(field, "is only for questions that ask for an answer; approve or deny this one")
    if body.decision == "deny":
        if body.choice is not None:
            raise _unfit("choice", "must not be sent with a denial")
        return CheckedDecision("denied", None, comment)
    return CheckedDecision("approved", _choice(question.choices, body.choice), comment)


def _choice(choices: Any, choice: str | None) -> str | None:
    if not choices:
        if choice is not None:
            raise _unfit("choice", "must not be sent: this question has no choices")
        return None
    if choice not in choices:
        named = ", ".join(choices)
        raise _unfit("choice", f"must be one of: {named}" if choice is not None else f"is needed, one of: {named}")
    return json.dumps({"choice": choice}, ensure_ascii=False)


def _answer(question: Question, body: DecisionBody, max_bytes: int) -> str:
    if body.decision != "answer":
        raise _unfit("decision", "must be answer: this question cannot be approved or denied")
    if body.choice is not None:
        raise _unfit("choice", "must not be sent: this question asks for an answer")
    if "answer" not in body.model_fields_set:
        raise _unfit("answer", "is missing")
    return fitting_answer(body.answer, question.answer_schema, max_bytes)


def fitting_answer(value: Any, schema: Any, max_bytes: int) -> str:
    """Return the JSON text of a fitting answer; raises Problem `invalid_answer` or `payload_too_large`."""
    storable_text(value, max_bytes, "answer", lambda detail: _unfit("answer", detail))
    errors = violations(value, json.dumps(schema), "answer", "the question")
    if errors:
        raise _refused(errors)
    return json.dumps({"answer": value}, ensure_ascii=False)


def _unfit(field: str, detail: str) -> Problem:
    return _refused([FieldError(field, detail)])


def _refused(errors: list[FieldError]) -> Problem:
    first = errors[0]
    return Problem("invalid_answer", f"{first.field} {first.detail}.", errors)
