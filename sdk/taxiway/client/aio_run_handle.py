"""Handle on one run, with asyncio: reads, follows, awaits and controls it."""

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
    """One run, by its id; its result is an R_co. enqueue() sets `accepted` on the handles that it returns."""

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
        """Fetch the run with its newest 200 steps; `outputs` adds their results."""
        return await self._client.send(calls.run(self.id, outputs=outputs))

    async def explain(self) -> Explanation:
        """Explain why the run is not executing: every blocker, in the order in which to remove it."""
        return await self._client.send(explaining.explain(self.id))

    def steps(self, *, outputs: bool = False) -> AsyncIterator[StepView]:
        """Iterate over all steps."""
        return self._client._walk(pages.steps(self.id, outputs=outputs))

    def logs(self) -> AsyncIterator[LogLine]:
        """Iterate over all stored log lines."""
        return self._client._walk(pages.logs(self.id))

    async def events(self, *, after: int | None = None, patience: float | None = wire.PATIENCE) -> AsyncIterator[Event]:
        """Yield the run's events from the first one (or the one after `after`) to `end`.

        Reconnects by itself and repeats no event. Raises NotReachable or Unavailable if the server is unreachable for
        `patience` seconds in a row (None: never).
        """
        follow = Follow(self.id, after, Backoff(patience))
        while not follow.over:
            try:
                # aclosing: when a caller stops early, the connection closes now, not at a later garbage collection.
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
        """Wait until the run has ended and return its result.

        The result is a JSON value; of a run enqueued by its agent's function, it has the type that the agent returns.
        Raises RunFailed, RunCanceled, or NotFinished (a TimeoutError) after `timeout` seconds; the run then continues.
        Waits for an unreachable server, up to `patience` seconds in a row.
        """
        run = await _driven(self._client, waiting.until_finished(self.id, timeout, Backoff(patience)))
        result: R_co = waiting.outcome(run, self._shape)
        return result

    async def cancel(self, reason: str | None = None, grace: Duration | None = None) -> RunView:
        """Cancel the run and return it: CANCELED immediately, or within `grace` if it is executing.

        Raises RunFinished if the run had already ended.
        """
        return await self._client.send(calls.cancel(self.id, reason, grace))

    async def pause(self, reason: str | None = None) -> RunView:
        """Pause the run until it is resumed: immediately, or at its next step if it is executing.

        Raises RunFinished if the run had already ended.
        """
        return await self._client.send(calls.pause(self.id, reason))

    async def resume(self) -> RunView:
        """End a pause by a user or by the agent, or one for code that has been fixed since."""
        return await self._client.send(calls.resume(self.id))

    async def retry(
        self,
        *,
        from_step: str | None = None,
        input: Mapping[str, Any] | None = None,  # noqa: A002 - the API's own word
        idempotency_key: str | UUID | None = None,
    ) -> AsyncRunHandle[R_co]:
        """Retry an ended run as a new run, and return the new one.

        The new run keeps succeeded steps, failures that the agent caught, and decisions of people. With `from_step` (key or
        name) it keeps what was recorded before that step; with another `input` it keeps nothing. Raises Conflict if the
        run has not ended.
        """
        made = await self._client.send(calls.retry(self.id, from_step, input, idempotency_key))
        return self._client._handle(made, self._shape)

    async def signal(self, name: str, payload: object = None, *, id: str | None = None) -> RunView:  # noqa: A002 - as above
        """Send the run a message, stored until its agent waits for this name; several with the same `id` count once.

        Raises RunFinished if the run had already ended.
        """
        return await self._client.send(calls.signal(self.id, name, payload, id))

    async def approve(self, *, choice: str | None = None, comment: str | None = None) -> ApprovalView:
        """Approve the run's only question; raises the errors of Client.approve."""
        return await self._client.approve(self.id, choice=choice, comment=comment)

    async def deny(self, *, comment: str | None = None) -> ApprovalView:
        """Deny the run's only question; raises the errors of Client.approve."""
        return await self._client.deny(self.id, comment=comment)

    async def answer(self, answer: Any, *, comment: str | None = None) -> ApprovalView:
        """Answer the run's only question; raises the errors of Client.approve."""
        return await self._client.answer(self.id, answer, comment=comment)


async def _connected(client: AsyncClient, follow: Follow) -> AsyncGenerator[Event, None]:
    """Yield the events of one connection until its end."""
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
