"""The client for asyncio: the same calls as the blocking one, awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Unpack, overload
from uuid import UUID

from taxiway.agent_references import AnyAgent, AsyncAgent, Inputs, T
from taxiway.client import calls, event_reading, operations, pages
from taxiway.client.aio_approval_calls import AsyncApprovalCalls
from taxiway.client.aio_bulk_calls import AsyncBulkCalls
from taxiway.client.aio_event_stream import heard
from taxiway.client.aio_grant_calls import AsyncGrantCalls
from taxiway.client.aio_installation_calls import AsyncInstallationCalls
from taxiway.client.aio_run_handle import AsyncRunHandle
from taxiway.client.calls import Accepted, Enqueuing, NewRun
from taxiway.client.pages import Filter
from taxiway.client.views import Event, RunView
from taxiway.durations import Duration
from taxiway.shapes import Shape


class AsyncClient(AsyncApprovalCalls, AsyncInstallationCalls, AsyncGrantCalls, AsyncBulkCalls):
    """Talks to one Taxiway server from one event loop. See Client for the arguments; close it, or use `async with`."""

    @overload
    async def enqueue(
        self, agent: AsyncAgent[T], input: Inputs = None, **options: Unpack[Enqueuing]
    ) -> AsyncRunHandle[T]: ...
    @overload
    async def enqueue(
        self, agent: Callable[..., T], input: Inputs = None, **options: Unpack[Enqueuing]
    ) -> AsyncRunHandle[T]: ...
    @overload
    async def enqueue(self, agent: str, input: Inputs = None, **options: Unpack[Enqueuing]) -> AsyncRunHandle[Any]: ...
    async def enqueue(
        self,
        agent: AnyAgent,
        input: Inputs = None,  # noqa: A002 - the API's own word
        *,
        idempotency_key: str | UUID | None = None,
        user_id: str | None = None,
        queue: str | None = None,
        window: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,  # noqa: ASYNC109 - the run's own timeout, not this call's
        metadata: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        approval_strategy: str | None = None,
        not_before: datetime | str | None = None,
        expires_in: Duration | None = None,
        concurrency_key: str | None = None,
        on_conflict: str | None = None,
    ) -> AsyncRunHandle[Any]:
        """Enqueue a run; see Client.enqueue."""
        new = NewRun(
            agent, input, user_id, queue, priority, timeout, metadata, tags, approval_strategy, window, not_before, expires_in,
            concurrency_key, on_conflict,
        )  # fmt: skip
        return self._handle(await self.send(calls.enqueue(new, idempotency_key)), new.shape)

    async def enqueue_batch(
        self, runs: Iterable[NewRun | Mapping[str, Any]], *, idempotency_key: str | UUID | None = None
    ) -> list[AsyncRunHandle[Any]]:
        """Enqueue up to 1,000 runs, all or none; see Client.enqueue_batch."""
        news = calls.new_runs(runs)
        made = await self.send(calls.enqueue_batch(news, idempotency_key))
        return [self._handle(accepted, new.shape) for accepted, new in zip(made, news, strict=False)]

    async def run_schedule(self, name: str) -> AsyncRunHandle[Any]:
        """Make the schedule's run at once, also while it is paused or an earlier run of it goes on."""
        return self._handle(await self.send(operations.run_schedule(name)))

    def run(self, run_id: str) -> AsyncRunHandle[Any]:
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

    @asynccontextmanager
    async def listen(
        self, *, status: str | Iterable[str] | None = None, agent: str | None = None
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Hear everything that happens to the tenant's runs while the block runs; see Client.listen."""
        async with self._stream(event_reading.request(status, agent)) as response:
            yield await heard(response.aiter_bytes())

    def _handle(self, accepted: Accepted, shape: Shape | None = None) -> AsyncRunHandle[Any]:
        return AsyncRunHandle(self, accepted.run.id, accepted, shape)
