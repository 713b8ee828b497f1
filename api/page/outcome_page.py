"""Pages without a form: the outcome of a question, and problems."""

from collections.abc import Mapping
from typing import Any

from api.http.problems import Problem
from api.page.question_page import heading
from api.page.rendering import Page
from api.page.value_layout import laid_out
from api.people.question import Question, given_up, outcome

_VERDICTS = {
    "approved": ("Approved", "approve", "✓"),
    "answered": ("Answered", "approve", "✓"),
    "denied": ("Denied", "deny", "✕"),
}
_OVER = ("The time to decide is over", "", "")
_ENDED = ("No decision is needed any more", "", "")
_GIVEN_UP = ("Withdrawn: the agent no longer asks", "", "")
_ADVICE: Mapping[str, tuple[str, str]] = {
    "token_unknown": (
        "This link is not known",
        "It may have been cut off when it was copied or sent. Open the whole link, or ask its sender for a new one.",
    ),
    "unavailable": (
        "This cannot be shown at the moment",
        "The server cannot reach its database. Reload this page in a moment.",
    ),
    "payload_too_large": ("Your answer is too long", "Go back and shorten it. Nothing was decided."),
    "internal": (
        "Something went wrong",
        "This is an error of the server, not yours. Reload this page to see whether anything was decided.",
    ),
}  # fmt: skip
_OTHERWISE = ("This request could not be understood", "Open the link again as it was sent to you. Nothing was decided.")


def outcome_page(question: Question, *, status: int = 200, late: bool = False) -> Page:
    """Show the outcome of a question, and the state of its run. `late`: this answers a decision that came too late."""
    found = outcome(question)
    assert found is not None, "shown only for a closed question"
    withdrawn = _GIVEN_UP if given_up(question.wait, question.run) else _ENDED
    said, look, mark = withdrawn if found["outcome"] == "withdrawn" else _OVER
    if not question.expired:
        said, look, mark = _VERDICTS.get(found["outcome"], (said, look, mark))
    return Page(
        "outcome.html",
        status,
        question=question,
        heading=heading(question.prompt),
        verdict=f"{said}: {found['choice']}" if found["choice"] else said,
        look=look,
        mark=mark,
        outcome=found,
        at=question.wait.resolved_at or question.wait.due_at,
        answer=laid_out(found["answer"]) if found["outcome"] == "answered" else None,
        late=late,
    )


def problem_page(problem: Problem) -> Page:
    """Show why the request failed, and what to do."""
    said, advice = _ADVICE.get(problem.code, _OTHERWISE)
    shown: dict[str, Any] = {"said": said, "advice": advice}
    return Page("problem.html", problem.status, problem.headers, **shown)
