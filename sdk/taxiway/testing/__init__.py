"""Agents in tests without a server: waits are skipped on a clock of the test, decisions are given in advance.

    from taxiway.testing import answer, approve, play, signal

    def test_a_refund_is_paid_once_it_was_approved():
        outcome = play(refund, order_id="A7", amount=120.0, given=[approve("Refund*", choice="card")],
                       stub={charge: lambda order_id, amount: "paid"})
        assert outcome.result == "paid"
        assert outcome.prompts == ["Refund 120.0?"]

The code of the worker executes the agent: after each wait it starts again from its records.
"""

from taxiway.testing.errors import Endless, Refused, Unanswered, Undetermined, Unused
from taxiway.testing.given import Given
from taxiway.testing.giving import answer, approve, child, deny, expire, grant, resume, signal
from taxiway.testing.outcome import Asked, Child, Error, Event, Outcome, Step
from taxiway.testing.play import play

__all__ = [
    "Asked",
    "Child",
    "Endless",
    "Error",
    "Event",
    "Given",
    "Outcome",
    "Refused",
    "Step",
    "Unanswered",
    "Undetermined",
    "Unused",
    "answer",
    "approve",
    "child",
    "deny",
    "expire",
    "grant",
    "play",
    "resume",
    "signal",
]
