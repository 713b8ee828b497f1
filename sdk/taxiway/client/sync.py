"""The client for ordinary code: every call blocks until it is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Unpack, overload
from uuid import UUID

from taxiway.agent_references import AnyAgent, AsyncAgent, Inputs, T
from taxiway.client import calls, event_reading, operations, pages
from taxiway.client.approval_calls import ApprovalCalls
from taxiway.client.bulk_calls import BulkCalls
from taxiway.client.calls import Accepted, Enqueuing, NewRun
from taxiway.client.event_stream import heard
from taxiway.client.grant_calls import GrantCalls
from taxiway.client.installation_calls import InstallationCalls
from taxiway.client.pages import Filter
from taxiway.client.run_handle import RunHandle
from taxiway.client.views import Event, RunView
from taxiway.durations import Duration
from taxiway.shapes import Shape


class Client(ApprovalCalls, InstallationCalls, GrantCalls, BulkCalls):
    """Talks to one Taxiway server. Threads may share it; close it, or use it as a context manager.

    Without arguments the address comes from TAXIWAY_URL and TAXIWAY_API_KEY, or from the nearest `.taxiway/up.env`.
    `timeout` is how many seconds one answer may take. Raises NotConfigured where no address or key is found.
    """

    @overload
    def enqueue(self, agent: AsyncAgent[T], input: Inputs = None, **options: Unpack[Enqueuing]) -> RunHandle[T]: ...
    @overload
    def enqueue(self, agent: Callable[..., T], input: Inputs = None, **options: Unpack[Enqueuing]) -> RunHandle[T]: ...
    @overload
    def enqueue(self, agent: str, input: Inputs = None, **options: Unpack[Enqueuing]) -> RunHandle[Any]: ...
    def enqueue(
        self,
        agent: AnyAgent,
        input: Inputs = None,  # noqa: A002 - the API's own word
        *,
        idempotency_key: str | UUID | None = None,
        user_id: str | None = None,
        queue: str | None = None,
        window: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        approval_strategy: str | None = None,
        not_before: datetime | str | None = None,
        expires_in: Duration | None = None,
        concurrency_key: str | None = None,
        on_conflict: str | None = None,
    ) -> RunHandle[Any]:
        """Enqueue a run; once this returns, it is stored and will be executed.

        `agent` is its name, or the function that was declared one: then the result has the type that the function
        returns. With the same `idempotency_key` the same request returns the same run. `timeout` counts active time;
        `priority` goes from -100 to 100, higher first; with `window` the run goes on only while that window is open;
        `approval_strategy` is NONE, ON_START or ON_TOOL_CALL. `not_before`, `expires_in`, `concurrency_key` and
        `on_conflict` are as NewRun says. Raises Invalid for an unknown agent or a wrong input.
        """
        new = NewRun(
            agent, input, user_id, queue, priority, timeout, metadata, tags, approval_strategy, window, not_before, expires_in,
            concurrency_key, on_conflict,
        )  # fmt: skip
        return self._handle(self.send(calls.enqueue(new, idempotency_key)), new.shape)

    def enqueue_batch(
        self, runs: Iterable[NewRun | Mapping[str, Any]], *, idempotency_key: str | UUID | None = None
    ) -> list[RunHandle[Any]]:
        """Enqueue up to 1,000 runs, all or none; mappings hold the keyword arguments of enqueue()."""
        news = calls.new_runs(runs)
        made = self.send(calls.enqueue_batch(news, idempotency_key))
        return [self._handle(accepted, new.shape) for accepted, new in zip(made, news, strict=False)]

    def run_schedule(self, name: str) -> RunHandle[Any]:
        """Make the schedule's run at once, also while it is paused or an earlier run of it goes on."""
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

        `where` narrows: status and tag (one or several), category, agent, queue, metadata, user_id, parent_run_id, created_after,
        created_before.
        """
        return self._walk(pages.runs(where, limit))

    @contextmanager
    def listen(
        self, *, status: str | Iterable[str] | None = None, agent: str | None = None
    ) -> Iterator[Iterator[Event]]:
        """Hear everything that happens to the tenant's runs while the block runs: `with client.listen() as events:`.

        Nothing is missed from the moment at which the block begins, and nothing that came before is told. The events end
        when the connection does; then look at what may have been missed, and listen again. Raises NotReachable.
        """
        with self._stream(event_reading.request(status, agent)) as response:
            yield heard(response.iter_bytes())

    def _handle(self, accepted: Accepted, shape: Shape | None = None) -> RunHandle[Any]:
        return RunHandle(self, accepted.run.id, accepted, shape)
