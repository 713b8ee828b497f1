"""What people are asked and what they decide, as calls of the blocking client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from taxiway.client import people
from taxiway.client.connection import Connection
from taxiway.client.errors import NotFound
from taxiway.client.people import ApprovalView


class ApprovalCalls(Connection):
    """The part of a client that people use who are asked; a decision may name the wait, or the run that asks."""

    def approvals(
        self, status: str = "open", *, run_id: str | None = None, limit: int | None = None
    ) -> Iterator[ApprovalView]:
        """Iterate over what people are asked (`open`) or were asked (`decided`), newest first; needs the scope `decide`."""
        return self._walk(people.inbox(status, run_id, limit))

    def approve(self, wait_or_run: str, *, choice: str | None = None, comment: str | None = None) -> ApprovalView:
        """Approve, by the id of the wait or of the run that asks; `choice` is needed where there are some.

        Raises Conflict where somebody decided first, Invalid where the decision does not fit, and NoOneQuestion where a run
        asks nothing, or more than one question.
        """
        return self._decide(wait_or_run, people.approval(choice, comment))

    def deny(self, wait_or_run: str, *, comment: str | None = None) -> ApprovalView:
        """Deny; see approve()."""
        return self._decide(wait_or_run, people.denial(comment))

    def answer(self, wait_or_run: str, answer: Any, *, comment: str | None = None) -> ApprovalView:
        """Answer with a JSON value that fits what is asked for; see approve()."""
        return self._decide(wait_or_run, people.reply(answer, comment))

    def _decide(self, wait_or_run: str, decision: people.Decision) -> ApprovalView:
        try:
            return self.send(decision.call(wait_or_run))
        except NotFound:
            asked = list(self.approvals(run_id=wait_or_run))
        return self.send(decision.call(people.the_one(asked, wait_or_run)))
