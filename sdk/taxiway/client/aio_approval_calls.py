"""Calls for questions to people and their decisions, awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from taxiway.client import people
from taxiway.client.aio_connection import AsyncConnection
from taxiway.client.errors import NotFound
from taxiway.client.people import ApprovalView


class AsyncApprovalCalls(AsyncConnection):
    """Calls of the asyncio client for approvers; a decision names the wait, or the run that asks."""

    def approvals(
        self, status: str = "open", *, run_id: str | None = None, limit: int | None = None
    ) -> AsyncIterator[ApprovalView]:
        """Iterate over the `open` or the `decided` questions to people, newest first; needs the scope `decide`."""
        return self._walk(people.inbox(status, run_id, limit))

    async def approve(self, wait_or_run: str, *, choice: str | None = None, comment: str | None = None) -> ApprovalView:
        """Approve, by the id of the wait or of the run that asks; a question with choices needs a `choice`.

        Raises Conflict if another decision came first, Invalid if the decision does not fit, and NoOneQuestion if the run
        asks no question or more than one.
        """
        return await self._decide(wait_or_run, people.approval(choice, comment))

    async def deny(self, wait_or_run: str, *, comment: str | None = None) -> ApprovalView:
        """Deny, by the id of the wait or of the run that asks; raises the errors of approve()."""
        return await self._decide(wait_or_run, people.denial(comment))

    async def answer(self, wait_or_run: str, answer: Any, *, comment: str | None = None) -> ApprovalView:
        """Answer with a JSON value that fits the question's schema; raises the errors of approve()."""
        return await self._decide(wait_or_run, people.reply(answer, comment))

    async def _decide(self, wait_or_run: str, decision: people.Decision) -> ApprovalView:
        try:
            return await self.send(decision.call(wait_or_run))
        except NotFound:
            asked = [question async for question in self.approvals(run_id=wait_or_run)]
        return await self.send(decision.call(people.the_one(asked, wait_or_run)))
