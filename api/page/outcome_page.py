"""The pages that ask nothing: what became of a question, and why there is nothing to decide."""

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
_ENDED = ("Nobody needs to decide any more", "", "")
_GIVEN_UP = ("Withdrawn: the agent no longer asks", "", "")
_ADVICE: Mapping[str, tuple[str, str]] = {
    "token_unknown": (
        "This link is not known",
        "It may have been cut off when it was copied or sent. Open the whole link, or ask whoever sent it for a new one.",
    ),
    "unavailable": (
        "This cannot be shown at the moment",
        "The server cannot reach its data. Reload this page in a moment to see where things stand.",
    ),
    "payload_too_large": ("That was too much", "Go back and shorten what you typed. Nothing was decided."),
    "internal": (
        "Something went wrong here",
        "This is a fault of the server, not yours. Reload this page to see whether anything was decided.",
    ),
}  # fmt: skip
_OTHERWISE = ("This could not be understood", "Open the link again as it was sent to you. Nothing was decided.")


def outcome_page(question: Question, *, status: int = 200, late: bool = False) -> Page:
    """Show what became of a question, and where its run stands. `late`: somebody tried to decide it, too late."""
    found = outcome(question)
    assert found is not None, "shown only when it is over"
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
    """Say why a page cannot be shown, and what to do."""
    said, advice = _ADVICE.get(problem.code, _OTHERWISE)
    shown: dict[str, Any] = {"said": said, "advice": advice}
    return Page("problem.html", problem.status, problem.headers, **shown)
