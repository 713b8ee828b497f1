"""Decision of a question: the only path, shared by links, the inbox and the page.

Of concurrent decisions exactly one wins; all others receive the winner's outcome. An answer is checked before the run wakes,
and the consequences of a decision (`models.waiting.wake.wake_run`) are committed with it.
"""

from uuid import UUID

from api.http.problems import Problem
from api.http.transactions import transaction
from api.links.tokens import Purpose, is_genuine, wait_named_by
from api.people.decision_body import DecisionBody, check_decision
from api.people.question import Question, find_question, given_up, outcome
from api.resources import Resources
from models.runs.announcing import announce
from models.runtime.facts import fact
from models.waiting import waits
from models.waiting.wake import wake_run

BY_LINK = "link"
"""The `by` of a decision whose author is known only as a holder of the link."""
GIVEN_UP = "Withdrawn: the agent no longer asks."
_UNKNOWN = "This link is not known. Check that it was copied completely; it may also belong to another installation."


def asked_by(token: str) -> Question:
    """Return the question of a token, open or closed; raises Problem `token_unknown`."""
    wait = wait_named_by(token)
    question = None if wait is None else find_question(wait)
    if question is None or not is_genuine(token, Purpose.APPROVAL, question.wait.id, question.wait.nonce):
        raise Problem("token_unknown", _UNKNOWN)
    return question


def decide_by_token(token: str, body: DecisionBody, shared: Resources, *, by: str = BY_LINK) -> Question:
    """Decide with a token; raises Problem `token_unknown`, `token_used`, `token_expired`, or a problem of the body."""
    question = asked_by(token)
    if not question.closed and decide(question, body, by, shared):
        return asked_by(token)
    raise token_spent(asked_by(token))


def decide(question: Question, body: DecisionBody, by: str, shared: Resources) -> bool:
    """Decide an open question and wake its run; returns False if another decision won.

    Raises Problem `invalid_answer` or `payload_too_large` if the decision does not fit the question.
    """
    judged = check_decision(question, body, shared.settings.max_event_bytes)
    run, wait = question.run, question.wait
    with transaction() as connection:
        # The run row first, the wait after it: see `models.waiting.waits`.
        run_state = waits.lock_run(run.id, run.tenant).one(connection)
        assert run_state is not None, "runs are never deleted while they have waits"
        over = waits.decide(
            run.id, wait.id, outcome=judged.outcome, by=by, answer=judged.answer, comment=judged.comment
        ).all(connection)
        moved = wake_run(connection, run_state, over)
    if not over:
        return False
    announce(shared.bus, run_state, moved)
    fact("wait.decided", run=run.id, wait=wait.id, outcome=judged.outcome)
    return True


def token_spent(question: Question) -> Problem:
    """Return the problem of a spent link, with the outcome of its question."""
    if question.expired:
        detail = "The time to decide is over; the run continued or ended without a decision."
        return Problem("token_expired", detail, more=_outcome_members(question))
    return Problem("token_used", f"{_outcome_sentence(question)} A link works once.", more=_outcome_members(question))


def wait_closed(question: Question) -> Problem:
    """Return the problem of a closed question in the inbox, with its outcome."""
    return Problem("wait_closed", _outcome_sentence(question), more=_outcome_members(question))


def no_such_wait() -> Problem:
    """Return the problem of an unknown question; the text is the same if another tenant has it."""
    return Problem("not_found", "There is no approval with this id. Check the id, and the API key that you use.")


def read_wait_id(text: str) -> UUID:
    """Parse the id of a wait in its canonical spelling; raises Problem `not_found` otherwise."""
    try:
        value = UUID(text)
    except ValueError:
        raise no_such_wait() from None
    if str(value) != text.lower():
        raise no_such_wait()
    return value


def _outcome_sentence(question: Question) -> str:
    found = outcome(question)
    assert found is not None
    if given_up(question.wait, question.run):
        return GIVEN_UP
    if found["outcome"] == "withdrawn":
        return f"The run has ended as {question.run.status}; it no longer needs a decision."
    if question.expired:
        return "The time to decide is over."
    return f"This was {found['outcome']} by {found['by']} at {found['at']}."


def _outcome_members(question: Question) -> dict[str, object]:
    return {"outcome": outcome(question), "runId": str(question.run.id), "runStatus": question.run.status}
