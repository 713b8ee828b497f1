"""Submission of the question page: decides by the same path as every other decision.

Cross-site submission of this form does no harm: the token in it is the only authority. No cookie and nothing else that a
browser adds by itself is read. A site that does not know the token can decide nothing; one that knows it needs no browser.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from api.http.parsing import read_as
from api.http.problems import Problem
from api.http.responses import PRIVATE
from api.page.field import ROOT, Field
from api.page.form_values import Given, parse_form, read
from api.page.outcome_page import outcome_page
from api.page.question_page import Typed, answer_form, question_page
from api.people.decide import asked_by, decide_by_token
from api.people.decision_body import DecisionBody
from api.people.question import Question, outcome
from api.resources import Resources

_SPENT = ("token_used", "token_expired")


def answer(raw: bytes, shared: Resources) -> Response:
    """Decide, and redirect to the page that shows the outcome, so that a reload decides nothing again.

    Errors are shown in the form, with what was typed. Raises Problem `token_unknown`, `invalid_request`.
    """
    given = parse_form(raw)
    typed = Typed(given)
    token = typed.last("token")
    question = asked_by(token)
    form = answer_form(question)
    if question.closed:
        return _spent(question, typed)
    fields, errors = _fields(typed, form)
    if errors:
        return question_page(question, token, Typed(given, errors), 422)
    try:
        decide_by_token(token, read_as(DecisionBody, fields), shared)
    except Problem as problem:
        if problem.code in _SPENT:
            return _spent(asked_by(token), typed)
        if problem.status >= 500 or problem.code == "token_unknown":
            raise
        return question_page(question, token, _with_errors(problem, given, form), 422)
    return _see_outcome(token)


def _fields(typed: Typed, form: Field | None) -> tuple[dict[str, Any], Mapping[str, str]]:
    """Return the fields of the submitted decision, and an error for each field that cannot be read."""
    fields: dict[str, Any] = {"decision": typed.last("decision")}
    if choice := typed.last("choice"):
        fields |= {"decision": "approve", "choice": choice}  # its button says both
    if comment := typed.last("comment").replace("\r\n", "\n").strip():
        fields["comment"] = comment
    if form is None:
        return fields, {}
    # Enter in a field submits the form without its button.
    filled = read(form, typed.given)
    return {**fields, "decision": fields["decision"] or "answer", "answer": filled.value}, filled.errors


def _spent(question: Question, typed: Typed) -> Response:
    """Answer a decision on a closed question; a person who pressed a button twice sees their own decision, not a refusal."""
    found = outcome(question)
    assert found is not None, "a question is spent only when it is closed"
    fields, _ = _fields(typed, None)
    verb = {"approved": "approve", "denied": "deny"}.get(found["outcome"])
    if found["by"] and (verb, found["choice"]) == (fields["decision"], fields.get("choice")):
        return _see_outcome(typed.last("token"))
    return outcome_page(question, status=410, late=True)


def _see_outcome(token: str) -> Response:
    # Relative, so that it also works behind a proxy that adds a prefix to our paths.
    return RedirectResponse(f"approval?token={quote(token)}", 303, PRIVATE)


def _with_errors(problem: Problem, given: Given, form: Field | None) -> Typed:
    """Put each error beside its field."""
    names = ["comment", *(field.name for field in form.leaves())] if form else ["comment"]
    errors: dict[str, str] = {}
    general = []
    for error in problem.errors:
        about = [name for name in names if error.field == name or error.field.startswith((f"{name}.", f"{name}["))]
        inside = error.field.removeprefix(max(about, key=len)) if about else error.field.removeprefix(f"{ROOT}.")
        said = f"{inside.lstrip('.')} {error.detail}".strip()
        sentence = f"{said[:1].upper()}{said[1:]}."
        if about:
            errors.setdefault(max(about, key=len), sentence)
        else:
            general.append(sentence)
    return Typed(given, errors, general if problem.errors else [problem.detail])
