"""Phrases of the pages: times, consequences of a decision, and the state of a run."""

from datetime import UTC, datetime, timedelta

from api.people.decide import BY_LINK
from api.people.question import Question
from models.lifecycle import Status
from models.runs.public_event import timestamp
from models.tables.run import Run

# Not from strftime, which uses the server's locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SPANS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))
_DENIED = {
    "cancel": "If you deny, the run is cancelled.",
    "fail": "If you deny, the run ends as failed.",
    "return": "If you deny, the run continues and receives your decision.",
    "raise": "If you deny, the run receives your decision and chooses how to continue.",
}
_UNDECIDED = {
    "denied": "If nobody decides by then, this counts as denied.",
    "expired": "If nobody decides by then, the run continues without a decision.",
    "timeout": "If nobody answers by then, the run continues without an answer and may fail.",
}
_FOLLOWED = {
    "denied": "Nobody decided, so this counts as denied.",
    "expired": "Nobody decided, so the run continues without a decision.",
    "timeout": "Nobody answered, so the run continues without an answer.",
}
_RUN_STATES = {
    Status.QUEUED: "The run waits for its turn.",
    Status.RUNNING: "The run continues as soon as a worker is free.",
    Status.AUTH_REQUIRED: "The run waits for an authorization.",
    Status.SUCCESS: "The run has finished.",
    Status.FAILED: "The run has failed.",
    Status.CANCELED: "The run is cancelled.",
}
_PAUSED = {
    "approval": "The run waits for another decision.",
    "user": "The run is paused until a person resumes it.",
    "agent": "The run waits for something else.",
}


def machine(at: datetime | None) -> str:
    """Return a time as RFC 3339, for the `datetime` attribute."""
    return timestamp(at) or ""


def moment(at: datetime) -> str:
    """Return a time for people: `26 Nov 2026, 21:05 UTC`."""
    at = at.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def distance(at: datetime, now: datetime) -> str:
    """Return the distance from `now`: `in 6 days`, `2 hours ago`, `just now`."""
    span = abs(at - now)
    for unit, name in _SPANS:
        if span >= unit:
            count = span // unit
            said = f"{count} {name}{'s' * (count != 1)}"
            return f"in {said}" if at > now else f"{said} ago"
    return "in less than a minute" if at > now else "just now"


def consequences(question: Question) -> list[str]:
    """Return what follows from a denial, and what happens if nobody decides."""
    said = [] if question.answer_schema is not None else [_DENIED.get(str(question.asked.get("onDeny")), "")]
    if question.wait.due_at:
        said.append(_UNDECIDED.get(question.wait.on_due or "", ""))
    return [sentence for sentence in said if sentence]


def what_now(question: Question) -> str:
    """Return what followed from a timeout, if nobody decided, and the present state of the run."""
    followed = _FOLLOWED.get(question.wait.outcome or question.wait.on_due or "", "") if question.expired else ""
    # The time is over, but the scheduler has not resolved the wait yet.
    to_come = question.wait.resolved_at is None
    return " ".join(sentence for sentence in (followed, "" if to_come else _run_state(question.run)) if sentence)


def _run_state(run: Run) -> str:
    if run.status == Status.PAUSED:
        return _PAUSED[run.pause_kind or "agent"]
    if run.status == Status.RUNNING and run.lease_worker is not None:
        return "The run has continued."
    return _RUN_STATES[Status(run.status)]


def who(by: str) -> str:
    """Return who decided: a link does not identify its holder."""
    return "a person with the link" if by == BY_LINK else by
