"""What people are asked and what they decide, as calls of the asyncio client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from taxiway.client import people
from taxiway.client.aio_connection import AsyncConnection
from taxiway.client.errors import NotFound
from taxiway.client.people import ApprovalView


class AsyncApprovalCalls(AsyncConnection):
    """The part of a client that people use who are asked; see Deciding."""

    def approvals(
        self, status: str = "open", *, run_id: str | None = None, limit: int | None = None
    ) -> AsyncIterator[ApprovalView]:
        """Iterate over what people are or were asked; see Client.approvals."""
        return self._walk(people.inbox(status, run_id, limit))

    async def approve(self, wait_or_run: str, *, choice: str | None = None, comment: str | None = None) -> ApprovalView:
        """Approve, by the id of the wait or of the run that asks; see Client.approve."""
        return await self._decide(wait_or_run, people.approval(choice, comment))

    async def deny(self, wait_or_run: str, *, comment: str | None = None) -> ApprovalView:
        """Deny; see Client.approve."""
        return await self._decide(wait_or_run, people.denial(comment))

    async def answer(self, wait_or_run: str, answer: Any, *, comment: str | None = None) -> ApprovalView:
        """Answer with a JSON value that fits what is asked for; see Client.approve."""
        return await self._decide(wait_or_run, people.reply(answer, comment))

    async def _decide(self, wait_or_run: str, decision: people.Decision) -> ApprovalView:
        try:
            return await self.send(decision.call(wait_or_run))
        except NotFound:
            asked = [question async for question in self.approvals(run_id=wait_or_run)]
        return await self.send(decision.call(people.the_one(asked, wait_or_run)))
