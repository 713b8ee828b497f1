"""Decides about a question: the one way to do it, for whoever holds the link, for the inbox and for the page.

Of any number of decisions at once exactly one wins; everybody else is told who decided what, and when. An answer is
checked before the run wakes, and what follows from a decision (`models.waiting.waits.wake`) is committed with it.
"""

from uuid import UUID

from api.http.problems import Problem
from api.http.transactions import transaction
from api.links.tokens import Purpose, is_genuine, wait_named_by
from api.people.question import Question, find_question, given_up, outcome
from api.people.verdict import DecisionBody, verdict
from api.resources import Resources
from models.runs.announcing import announce
from models.runtime.facts import fact
from models.waiting import waits

BY_LINK = "link"
"""Who decided, where nothing is known of them but that they were given the link."""
GIVEN_UP = "Withdrawn: the agent no longer asks."
_UNKNOWN = "This link is not known. Check that it was copied whole; it may also belong to another installation."


def asked_by(token: str) -> Question:
    """Give the question that a token opens, also when it is over; raises Problem `token_unknown`."""
    wait = wait_named_by(token)
    question = None if wait is None else find_question(wait)
    if question is None or not is_genuine(token, Purpose.APPROVAL, question.wait.id, question.wait.nonce):
        raise Problem("token_unknown", _UNKNOWN)
    return question


def decide_by_token(token: str, body: DecisionBody, shared: Resources, *, by: str = BY_LINK) -> Question:
    """Decide with a token; raises Problem `token_unknown`, `token_used`, `token_expired`, or what is wrong with the body."""
    question = asked_by(token)
    if not question.closed and decide(question, body, by, shared):
        return asked_by(token)
    raise token_spent(asked_by(token))


def decide(question: Question, body: DecisionBody, by: str, shared: Resources) -> bool:
    """Give an open question its outcome, and the run what follows from it; False when somebody else decided first.

    Raises Problem `invalid_answer` or `payload_too_large` for a decision that is none about this question.
    """
    judged = verdict(question, body, shared.settings.max_event_bytes)
    run, wait = question.run, question.wait
    with transaction() as connection:
        # The run row first, the wait after it: see `models.waiting.waits`.
        run_state = waits.lock_run(run.id, run.tenant).one(connection)
        assert run_state is not None, "runs are never deleted while they have waits"
        over = waits.decide(
            run.id, wait.id, outcome=judged.outcome, by=by, answer=judged.answer, comment=judged.comment
        ).all(connection)
        moved = waits.wake(connection, run_state, over)
    if not over:
        return False
    announce(shared.bus, run_state, moved)
    fact("wait.decided", run=run.id, wait=wait.id, outcome=judged.outcome)
    return True


def token_spent(question: Question) -> Problem:
    """Say of a link that was good once what became of its question."""
    if question.expired:
        detail = "The time to decide is over; the run went on, or ended, without a decision."
        return Problem("token_expired", detail, more=_became(question))
    return Problem("token_used", f"{_what_became(question)} A link works once.", more=_became(question))


def wait_closed(question: Question) -> Problem:
    """Say in the inbox what became of a question."""
    return Problem("wait_closed", _what_became(question), more=_became(question))


def no_such_wait() -> Problem:
    """Say that the caller's tenant has no such question; the same words whether another tenant has it or nobody."""
    return Problem("not_found", "There is no approval with this id. Check the id, and the API key that you use.")


def read_wait_id(text: str) -> UUID:
    """Read the id of a wait in its canonical spelling; raises Problem `not_found` for anything else."""
    try:
        value = UUID(text)
    except ValueError:
        raise no_such_wait() from None
    if str(value) != text.lower():
        raise no_such_wait()
    return value


def _what_became(question: Question) -> str:
    found = outcome(question)
    assert found is not None
    if given_up(question.wait, question.run):
        return f"{GIVEN_UP} Nobody needs to decide any more."
    if found["outcome"] == "withdrawn":
        return f"The run has ended as {question.run.status}; nobody needs to decide any more."
    if question.expired:
        return "The time to decide is over."
    return f"This was {found['outcome']} by {found['by']} at {found['at']}."


def _became(question: Question) -> dict[str, object]:
    return {"outcome": outcome(question), "runId": str(question.run.id), "runStatus": question.run.status}
