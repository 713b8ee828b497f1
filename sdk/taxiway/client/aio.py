"""The asyncio client: the calls of the blocking client, awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Unpack, overload
from uuid import UUID

from taxiway.agent_references import AnyAgent, AsyncAgent, Inputs, T
from taxiway.client import aio_event_stream, calls, event_stream, operations, pages
from taxiway.client.aio_approval_calls import AsyncApprovalCalls
from taxiway.client.aio_bulk_calls import AsyncBulkCalls
from taxiway.client.aio_grant_calls import AsyncGrantCalls
from taxiway.client.aio_installation_calls import AsyncInstallationCalls
from taxiway.client.aio_run_handle import AsyncRunHandle
from taxiway.client.calls import Accepted, NewRun
from taxiway.client.options import NewRunOptions
from taxiway.client.pages import Filter
from taxiway.client.views import Event, RunView
from taxiway.shapes import Shape


class AsyncClient(AsyncApprovalCalls, AsyncInstallationCalls, AsyncGrantCalls, AsyncBulkCalls):
    """Talks to one Taxiway server from one event loop; close it, or use `async with`.

    Without arguments the address comes from TAXIWAY_URL and TAXIWAY_API_KEY, or from the nearest `.taxiway/up.env`.
    `timeout` limits one answer, in seconds. Raises NotConfigured if no address or key is found.
    """

    @overload
    async def enqueue(
        self,
        agent: AsyncAgent[T],
        input: Inputs = None,
        *,
        idempotency_key: str | UUID | None = None,
        **options: Unpack[NewRunOptions],
    ) -> AsyncRunHandle[T]: ...
    @overload
    async def enqueue(
        self,
        agent: Callable[..., T],
        input: Inputs = None,
        *,
        idempotency_key: str | UUID | None = None,
        **options: Unpack[NewRunOptions],
    ) -> AsyncRunHandle[T]: ...
    @overload
    async def enqueue(
        self,
        agent: str,
        input: Inputs = None,
        *,
        idempotency_key: str | UUID | None = None,
        **options: Unpack[NewRunOptions],
    ) -> AsyncRunHandle[Any]: ...
    async def enqueue(
        self,
        agent: AnyAgent,
        input: Inputs = None,  # noqa: A002 - the API's own word
        *,
        idempotency_key: str | UUID | None = None,
        **options: Unpack[NewRunOptions],
    ) -> AsyncRunHandle[Any]:
        """Enqueue a run; once this returns, the run is stored and will be executed.

        The same request with the same `idempotency_key` returns the same run. NewRunOptions documents the options;
        Client.enqueue says more of `agent` and of errors.
        """
        new = NewRun(agent, input, **options)
        return self._handle(await self.send(calls.enqueue(new, idempotency_key)), new.shape)

    async def enqueue_batch(
        self, runs: Iterable[NewRun | Mapping[str, Any]], *, idempotency_key: str | UUID | None = None
    ) -> list[AsyncRunHandle[Any]]:
        """Enqueue up to 1,000 runs, all or none; mappings hold the keyword arguments of enqueue()."""
        news = calls.new_runs(runs)
        made = await self.send(calls.enqueue_batch(news, idempotency_key))
        return [self._handle(accepted, new.shape) for accepted, new in zip(made, news, strict=False)]

    async def run_schedule(self, name: str) -> AsyncRunHandle[Any]:
        """Enqueue the schedule's run immediately, even if the schedule is paused or an earlier run has not ended."""
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
        """Iterate over runs, newest first and at most `limit`, fetching pages as needed.

        `where` narrows: status and tag (one or several), category, agent, queue, metadata, user_id, parent_run_id,
        created_after, created_before.
        """
        return self._walk(pages.runs(where, limit))

    @asynccontextmanager
    async def listen(
        self, *, status: str | Iterable[str] | None = None, agent: str | None = None
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Receive every event of the tenant's runs while the block runs: `async with client.listen() as events:`.

        No event is missed after the block has begun; earlier events are not sent. The events end with the connection.
        """
        async with self._stream(event_stream.request(status, agent)) as response:
            yield await aio_event_stream.heard(response.aiter_bytes())

    def _handle(self, accepted: Accepted, shape: Shape | None = None) -> AsyncRunHandle[Any]:
        return AsyncRunHandle(self, accepted.run.id, accepted, shape)
