"""The client for asyncio: the same calls as the blocking one, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from taxiway.client import answers, calls, listening, operations, pages, people, waiting, wire
from taxiway.client.address import find_address
from taxiway.client.backoff import Backoff
from taxiway.client.calls import Accepted, Call, NewRun
from taxiway.client.errors import NotFound
from taxiway.client.follow import Follow
from taxiway.client.listening import Listening
from taxiway.client.pages import Filter, Pages
from taxiway.client.people import ApprovalView
from taxiway.client.views import Event, Json, LogLine, RunView, StepView
from taxiway.durations import Duration
from taxiway.errors import TaxiwayError

T = TypeVar("T")


class AsyncClient:
    """Talks to one Taxiway server from one event loop. See Client for the arguments; close it, or use `async with`."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        timeout: float = wire.TIMEOUT,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.address = find_address(url, api_key)
        self._timeout = timeout
        self._http = httpx.AsyncClient(**wire.settings(self.address), transport=transport)

    async def enqueue(
        self,
        agent: str,
        input: Mapping[str, Any] | None = None,  # noqa: A002 - the API's own word
        *,
        idempotency_key: str | None = None,
        user_id: str | None = None,
        queue: str | None = None,
        window: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,  # noqa: ASYNC109 - the run's own timeout, not this call's
        metadata: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        approval_strategy: str | None = None,
    ) -> AsyncRunHandle:
        """Enqueue a run; see Client.enqueue."""
        new = NewRun(agent, input, user_id, queue, priority, timeout, metadata, tags, approval_strategy, window)
        return self._handle(await self.send(calls.enqueue(new, idempotency_key)))

    async def enqueue_batch(
        self, runs: Iterable[NewRun | Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> list[AsyncRunHandle]:
        """Enqueue up to 1,000 runs, all or none; see Client.enqueue_batch."""
        return [self._handle(accepted) for accepted in await self.send(calls.enqueue_batch(runs, idempotency_key))]

    def run(self, run_id: str) -> AsyncRunHandle:
        """Return a handle on a run, without asking the server whether it exists."""
        return AsyncRunHandle(self, run_id)

    def runs(
        self,
        *,
        limit: int | None = None,
        **where: Unpack[Filter],
    ) -> AsyncIterator[RunView]:
        """Iterate over runs, newest first; see Client.runs."""
        return self._walk(pages.runs(where, limit))

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

    @asynccontextmanager
    async def listen(
        self, *, status: str | Iterable[str] | None = None, agent: str | None = None
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Hear everything that happens to the tenant's runs while the block runs; see Client.listen."""
        try:
            async with self._http.stream(**wire.arguments(listening.request(status, agent), self._timeout)) as response:
                if not response.is_success:
                    await response.aread()
                answers.expect_stream(response)
                yield await _heard(Listening(), response.aiter_bytes())
        except httpx.RequestError as error:
            raise answers.not_reachable(self.address.url, error) from error

    async def agents(self) -> list[Json]:
        """List the agents that workers serve or have served."""
        return await self.send(calls.listing("/v1/agents", "agents"))

    async def workers(self) -> list[Json]:
        """List the workers."""
        return await self.send(calls.listing("/v1/workers", "workers"))

    async def capacity(self) -> list[Json]:
        """List the queues with their slots, and the runs in flight, queued and parked."""
        return await self.send(calls.listing("/v1/capacity", "queues"))

    async def windows(self) -> list[Json]:
        """List the windows, and whether each is open now."""
        return await self.send(calls.listing("/v1/windows", "windows"))

    async def window(self, name: str, *, following: int = 5) -> Json:
        """Show a window with its next periods, what it gates, and who changed it."""
        return await self.send(operations.window(name, following))

    async def put_window(
        self,
        name: str,
        *,
        cron: str,
        duration: Duration,
        timezone: str,
        kind: str = "window",
        on_close: str = "finish",
    ) -> Json:
        """Make or change a window; see Client.put_window."""
        return await self.send(
            operations.put_window(name, cron=cron, duration=duration, timezone=timezone, kind=kind, on_close=on_close)
        )

    async def delete_window(self, name: str) -> None:
        """Delete a window. Raises Conflict while a queue, an agent or a run that has not ended needs it."""
        await self.send(operations.delete_window(name))

    async def override_window(self, name: str, state: str, *, until: datetime, reason: str | None = None) -> Json:
        """Hold a window "open" or "closed" until a moment, whatever its timetable says."""
        return await self.send(operations.override_window(name, state, until, reason))

    async def end_override(self, name: str) -> Json:
        """Let a window's timetable decide again."""
        return await self.send(operations.end_override(name))

    async def queues(self) -> list[Json]:
        """List the queues, and what ops said of each."""
        return await self.send(calls.listing("/v1/queues", "queues"))

    async def put_queue(
        self, name: str, *, paused: bool = operations.KEEP, window: str | None = operations.KEEP
    ) -> Json:
        """Pause a queue, or have a window gate its runs (None: no window); what is not given stays as it is."""
        return await self.send(operations.gate("queues", name, paused=paused, window=window))

    async def put_agent(
        self, name: str, *, paused: bool = operations.KEEP, window: str | None = operations.KEEP
    ) -> Json:
        """Pause an agent, or have a window gate its runs (None: no window); what is not given stays as it is."""
        return await self.send(operations.gate("agents", name, paused=paused, window=window))

    async def schedules(self) -> list[Json]:
        """List the tenant's schedules."""
        return await self.send(calls.listing("/v1/schedules", "schedules"))

    async def schedule(self, name: str) -> Json:
        """Show a schedule: what it enqueues, when it fires next, and what its newest firings came to."""
        return await self.send(operations.schedule(name))

    async def put_schedule(
        self,
        name: str,
        *,
        cron: str | None = None,
        timezone: str | None = None,
        run: NewRun | Mapping[str, Any] | None = None,
        overlap: str | None = None,
        catch_up: str | None = None,
        paused: bool | None = None,
    ) -> Json:
        """Make or change a schedule; see Client.put_schedule."""
        body = {"cron": cron, "timezone": timezone, "overlap": overlap, "catchUp": catch_up, "paused": paused}
        return await self.send(operations.put_schedule(name, body, run))

    async def delete_schedule(self, name: str) -> None:
        """Delete a schedule; the runs that it made go on."""
        await self.send(operations.delete_schedule(name))

    async def run_schedule(self, name: str) -> AsyncRunHandle:
        """Make the schedule's run at once, also while it is paused or an earlier run of it goes on."""
        return self._handle(await self.send(operations.run_schedule(name)))

    async def providers(self) -> list[Json]:
        """List the OAuth providers, never their client secrets."""
        return await self.send(calls.listing("/v1/providers", "providers"))

    async def provider(self, name: str) -> Json:
        """Show an OAuth provider, never its client secret."""
        return await self.send(operations.provider(name))

    async def put_provider(
        self,
        name: str,
        *,
        authorize_url: str,
        token_url: str,
        client_id: str,
        client_secret: str | None = operations.KEEP,
        client_auth: str = "basic",
        revocation_url: str | None = None,
        scopes: Iterable[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> Json:
        """Introduce an OAuth provider, or change it. A client secret that is not given stays as it is; None takes it away.

        `scopes` are asked for with every authorization, `parameters` added to the address where people authorize.
        """
        return await self.send(
            operations.put_provider(
                name, authorize_url=authorize_url, token_url=token_url, client_id=client_id, client_secret=client_secret,
                client_auth=client_auth, revocation_url=revocation_url, scopes=scopes, parameters=parameters,
            )
        )  # fmt: skip

    async def delete_provider(self, name: str) -> None:
        """Forget an OAuth provider; grants that it gave are used until they would have to be renewed."""
        await self.send(operations.delete_provider(name))

    def grants(
        self, *, provider: str | None = None, subject: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Json]:
        """Iterate over what people have authorized in this tenant, newest first, revoked ones too."""
        return self._walk(pages.grants(provider, subject, limit))

    async def revoke_grant(self, grant_id: str) -> None:
        """Revoke a grant here and, where it can be reached, at its provider."""
        await self.send(operations.revoke_grant(grant_id))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, call: Call[T]) -> T:
        """Send one call and read its answer."""
        try:
            response = await self._http.request(**wire.arguments(call.request, self._timeout))
        except httpx.RequestError as error:
            raise answers.not_reachable(self.address.url, error) from error
        return answers.read(call, response)

    async def _decide(self, wait_or_run: str, decision: people.Decision) -> ApprovalView:
        try:
            return await self.send(decision.call(wait_or_run))
        except NotFound:
            asked = [question async for question in self.approvals(run_id=wait_or_run)]
        return await self.send(decision.call(people.the_one(asked, wait_or_run)))

    def _handle(self, accepted: Accepted) -> AsyncRunHandle:
        return AsyncRunHandle(self, accepted.run.id, accepted)

    async def _walk(self, walk: Pages[T]) -> AsyncIterator[T]:
        while not walk.over:
            for item in await self.send(walk.call()):
                yield item

    async def _drive(self, plan: waiting.Plan) -> RunView:
        try:
            move = next(plan)
            while True:
                try:
                    answer = await self._do(move)
                except TaxiwayError as error:
                    move = plan.throw(error)
                else:
                    move = plan.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # StopIteration does not know the plan's type

    async def _do(self, move: Call[RunView] | waiting.Pause) -> RunView | None:
        if isinstance(move, waiting.Pause):
            await asyncio.sleep(move.seconds)
            return None
        return await self.send(move)

    async def _connect(self, follow: Follow) -> AsyncGenerator[Event, None]:
        """Yield the events of one connection, to its end."""
        try:
            async with self._http.stream(**wire.arguments(follow.request(), self._timeout)) as response:
                if not response.is_success:
                    await response.aread()
                answers.expect_stream(response)
                async for piece in response.aiter_bytes():
                    for event in follow.feed(piece):
                        yield event
                    if follow.over:
                        return
        except httpx.RequestError as error:
            raise answers.not_reachable(self.address.url, error) from error


async def _heard(listening: Listening, pieces: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Wait for the beginning of what is heard; see `taxiway.client.sync`."""
    first: list[Event] = []
    while not listening.begun:
        first += listening.feed(await anext(pieces, listening.NOTHING))
    return _rest(first, listening, pieces)


async def _rest(first: list[Event], listening: Listening, pieces: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    for event in first:
        yield event
    with suppress(httpx.RequestError):
        async for piece in pieces:
            for event in listening.feed(piece):
                yield event


class AsyncRunHandle:
    """One run, by its id. `accepted` is set on handles that enqueue() returned."""

    def __init__(self, client: AsyncClient, run_id: str, accepted: Accepted | None = None) -> None:
        self.id = run_id
        self.accepted = accepted
        self._client = client

    def __repr__(self) -> str:
        return f"AsyncRunHandle({self.id!r})"

    async def get(self, *, outputs: bool = False) -> RunView:
        """Fetch the run as it stands; see RunHandle.get."""
        return await self._client.send(calls.run(self.id, outputs=outputs))

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
                async with aclosing(self._client._connect(follow)) as events:
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
    ) -> Any:
        """Wait until the run has ended and return its result; see RunHandle.result."""
        return waiting.outcome(await self._client._drive(waiting.until_finished(self.id, timeout, Backoff(patience))))

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
        idempotency_key: str | None = None,
    ) -> AsyncRunHandle:
        """Try the run again as a new one; see RunHandle.retry."""
        return self._client._handle(await self._client.send(calls.retry(self.id, from_step, input, idempotency_key)))

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
