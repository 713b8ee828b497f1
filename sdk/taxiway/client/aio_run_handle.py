"""What can be done with one run, with asyncio: read it, follow it, wait for its result, change what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic
from uuid import UUID

from taxiway.agent_references import R_co
from taxiway.client import calls, explaining, pages, waiting, wire
from taxiway.client.backoff import Backoff
from taxiway.client.calls import Accepted, Call
from taxiway.client.explaining import Explanation
from taxiway.client.follow import Follow
from taxiway.client.people import ApprovalView
from taxiway.client.views import Event, LogLine, RunView, StepView
from taxiway.durations import Duration
from taxiway.errors import TaxiwayError
from taxiway.shapes import Shape

if TYPE_CHECKING:
    from taxiway.client.aio import AsyncClient


class AsyncRunHandle(Generic[R_co]):
    """One run, by its id; its result is an R_co. `accepted` is set on handles that enqueue() returned."""

    def __init__(
        self, client: AsyncClient, run_id: str, accepted: Accepted | None = None, shape: Shape | None = None
    ) -> None:
        self.id = run_id
        self.accepted = accepted
        self._client = client
        self._shape = shape

    def __repr__(self) -> str:
        return f"AsyncRunHandle({self.id!r})"

    async def get(self, *, outputs: bool = False) -> RunView:
        """Fetch the run as it stands; see RunHandle.get."""
        return await self._client.send(calls.run(self.id, outputs=outputs))

    async def explain(self) -> Explanation:
        """Say why the run is not executing; see RunHandle.explain."""
        return await self._client.send(explaining.explain(self.id))

    def steps(self, *, outputs: bool = False) -> AsyncIterator[StepView]:
        """Iterate over all steps."""
        return self._client._walk(pages.steps(self.id, outputs=outputs))

    def logs(self) -> AsyncIterator[LogLine]:
        """Iterate over all stored log lines."""
        return self._client._walk(pages.logs(self.id))

    async def events(self, *, after: int | None = None, patience: float | None = wire.PATIENCE) -> AsyncIterator[Event]:
        """Follow the run until `end`, reconnecting; see RunHandle.events."""
        follow = Follow(self.id, after, Backoff(patience))
        while not follow.over:
            try:
                # aclosing: a caller that stops early closes the connection now, not at some later garbage collection.
                async with aclosing(_connected(self._client, follow)) as events:
                    async for event in events:
                        yield event
                pause = 0.0 if follow.over else follow.closed()
            except TaxiwayError as error:
                pause = follow.lost(error)
            await asyncio.sleep(pause)

    async def result(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the same signature as the blocking handle's
        *,
        patience: float | None = wire.PATIENCE,
    ) -> R_co:
        """Wait until the run has ended and return its result; see RunHandle.result."""
        run = await _driven(self._client, waiting.until_finished(self.id, timeout, Backoff(patience)))
        result: R_co = waiting.outcome(run, self._shape)
        return result

    async def cancel(self, reason: str | None = None, grace: Duration | None = None) -> RunView:
        """Cancel the run and return it; see RunHandle.cancel."""
        return await self._client.send(calls.cancel(self.id, reason, grace))

    async def pause(self, reason: str | None = None) -> RunView:
        """Let the run stand still until it is resumed; see RunHandle.pause."""
        return await self._client.send(calls.pause(self.id, reason))

    async def resume(self) -> RunView:
        """End a pause; see RunHandle.resume."""
        return await self._client.send(calls.resume(self.id))

    async def retry(
        self,
        *,
        from_step: str | None = None,
        input: Mapping[str, Any] | None = None,  # noqa: A002 - the API's own word
        idempotency_key: str | UUID | None = None,
    ) -> AsyncRunHandle[R_co]:
        """Try the run again as a new one; see RunHandle.retry."""
        made = await self._client.send(calls.retry(self.id, from_step, input, idempotency_key))
        return self._client._handle(made, self._shape)

    async def signal(self, name: str, payload: object = None, *, id: str | None = None) -> RunView:  # noqa: A002 - as above
        """Send the run a message; see RunHandle.signal."""
        return await self._client.send(calls.signal(self.id, name, payload, id))

    async def approve(self, *, choice: str | None = None, comment: str | None = None) -> ApprovalView:
        """Approve what the run asks; see Client.approve."""
        return await self._client.approve(self.id, choice=choice, comment=comment)

    async def deny(self, *, comment: str | None = None) -> ApprovalView:
        """Deny what the run asks; see Client.approve."""
        return await self._client.deny(self.id, comment=comment)

    async def answer(self, answer: Any, *, comment: str | None = None) -> ApprovalView:
        """Answer what the run asks; see Client.approve."""
        return await self._client.answer(self.id, answer, comment=comment)


async def _connected(client: AsyncClient, follow: Follow) -> AsyncGenerator[Event, None]:
    """Yield the events of one connection, to its end."""
    async with client._stream(follow.request()) as response:
        async for piece in response.aiter_bytes():
            for event in follow.feed(piece):
                yield event
            if follow.over:
                return


async def _driven(client: AsyncClient, plan: waiting.Plan) -> RunView:
    try:
        move = next(plan)
        while True:
            try:
                answer = await _do(client, move)
            except TaxiwayError as error:
                move = plan.throw(error)
            else:
                move = plan.send(answer)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # StopIteration does not know the plan's type


async def _do(client: AsyncClient, move: Call[RunView] | waiting.Pause) -> RunView | None:
    if isinstance(move, waiting.Pause):
        await asyncio.sleep(move.seconds)
        return None
    return await client.send(move)
