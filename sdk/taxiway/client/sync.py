"""The blocking client: every call returns when the server has answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Unpack, overload
from uuid import UUID

from taxiway.agent_references import AnyAgent, AsyncAgent, Inputs, T
from taxiway.client import calls, event_stream, operations, pages
from taxiway.client.approval_calls import ApprovalCalls
from taxiway.client.bulk_calls import BulkCalls
from taxiway.client.calls import Accepted, NewRun
from taxiway.client.grant_calls import GrantCalls
from taxiway.client.installation_calls import InstallationCalls
from taxiway.client.options import NewRunOptions
from taxiway.client.pages import Filter
from taxiway.client.run_handle import RunHandle
from taxiway.client.views import Event, RunView
from taxiway.shapes import Shape


class Client(ApprovalCalls, InstallationCalls, GrantCalls, BulkCalls):
    """Talks to one Taxiway server. Threads may share it; close it, or use it as a context manager.

    Without arguments the address comes from TAXIWAY_URL and TAXIWAY_API_KEY, or from the nearest `.taxiway/up.env`.
    `timeout` limits one answer, in seconds. Raises NotConfigured if no address or key is found.
    """

    @overload
    def enqueue(
        self,
        agent: AsyncAgent[T],
        input: Inputs = None,
        *,
        idempotency_key: str | UUID | None = None,
        **options: Unpack[NewRunOptions],
    ) -> RunHandle[T]: ...
    @overload
    def enqueue(
        self,
        agent: Callable[..., T],
        input: Inputs = None,
        *,
        idempotency_key: str | UUID | None = None,
        **options: Unpack[NewRunOptions],
    ) -> RunHandle[T]: ...
    @overload
    def enqueue(
        self,
        agent: str,
        input: Inputs = None,
        *,
        idempotency_key: str | UUID | None = None,
        **options: Unpack[NewRunOptions],
    ) -> RunHandle[Any]: ...
    def enqueue(
        self,
        agent: AnyAgent,
        input: Inputs = None,  # noqa: A002 - the API's own word
        *,
        idempotency_key: str | UUID | None = None,
        **options: Unpack[NewRunOptions],
    ) -> RunHandle[Any]:
        """Enqueue a run; once this returns, the run is stored and will be executed.

        `agent` is the agent's name or its declared function; a function gives the result the type that it returns.
        The same request with the same `idempotency_key` returns the same run. NewRunOptions documents the options:
        user_id, queue, window, priority, timeout, metadata, tags, approval_strategy, not_before, expires_in,
        concurrency_key, on_conflict. Raises Invalid for an unknown agent or an input that does not fit.
        """
        new = NewRun(agent, input, **options)
        return self._handle(self.send(calls.enqueue(new, idempotency_key)), new.shape)

    def enqueue_batch(
        self, runs: Iterable[NewRun | Mapping[str, Any]], *, idempotency_key: str | UUID | None = None
    ) -> list[RunHandle[Any]]:
        """Enqueue up to 1,000 runs, all or none; mappings hold the keyword arguments of enqueue()."""
        news = calls.new_runs(runs)
        made = self.send(calls.enqueue_batch(news, idempotency_key))
        return [self._handle(accepted, new.shape) for accepted, new in zip(made, news, strict=False)]

    def run_schedule(self, name: str) -> RunHandle[Any]:
        """Enqueue the schedule's run immediately, even if the schedule is paused or an earlier run has not ended."""
        return self._handle(self.send(operations.run_schedule(name)))

    def run(self, run_id: str) -> RunHandle[Any]:
        """Return a handle on a run, without asking the server whether it exists."""
        return RunHandle(self, run_id)

    def runs(
        self,
        *,
        limit: int | None = None,
        **where: Unpack[Filter],
    ) -> Iterator[RunView]:
        """Iterate over runs, newest first and at most `limit`, fetching pages as needed.

        `where` narrows: status and tag (one or several), category, agent, queue, metadata, user_id, parent_run_id,
        created_after, created_before.
        """
        return self._walk(pages.runs(where, limit))

    @contextmanager
    def listen(
        self, *, status: str | Iterable[str] | None = None, agent: str | None = None
    ) -> Iterator[Iterator[Event]]:
        """Receive every event of the tenant's runs while the block runs: `with client.listen() as events:`.

        No event is missed after the block has begun; earlier events are not sent. The events end with the connection:
        then read the runs that may have changed, and listen again. Raises NotReachable.
        """
        with self._stream(event_stream.request(status, agent)) as response:
            yield event_stream.heard(response.iter_bytes())

    def _handle(self, accepted: Accepted, shape: Shape | None = None) -> RunHandle[Any]:
        return RunHandle(self, accepted.run.id, accepted, shape)
