"""The client for ordinary code: every call blocks until it is answered."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain
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


class Client:
    """Talks to one Taxiway server. Threads may share it; close it, or use it as a context manager.

    Without arguments the address comes from TAXIWAY_URL and TAXIWAY_API_KEY, or from the nearest `.taxiway/up.env`.
    `timeout` is how many seconds one answer may take. Raises NotConfigured where no address or key is found.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        timeout: float = wire.TIMEOUT,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.address = find_address(url, api_key)
        self._timeout = timeout
        self._http = httpx.Client(**wire.settings(self.address), transport=transport)

    def enqueue(
        self,
        agent: str,
        input: Mapping[str, Any] | None = None,  # noqa: A002 - the API's own word
        *,
        idempotency_key: str | None = None,
        user_id: str | None = None,
        queue: str | None = None,
        window: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        approval_strategy: str | None = None,
    ) -> RunHandle:
        """Enqueue a run; once this returns, it is stored and will be executed.

        With the same `idempotency_key` the same request returns the same run. `timeout` counts active time; `priority`
        goes from -100 to 100, higher first; with `window` the run goes on only while that window is open;
        `approval_strategy` is NONE, ON_START or ON_TOOL_CALL. Raises Invalid for an unknown agent or a wrong input.
        """
        new = NewRun(agent, input, user_id, queue, priority, timeout, metadata, tags, approval_strategy, window)
        return self._handle(self.send(calls.enqueue(new, idempotency_key)))

    def enqueue_batch(
        self, runs: Iterable[NewRun | Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> list[RunHandle]:
        """Enqueue up to 1,000 runs, all or none; mappings hold the keyword arguments of enqueue()."""
        return [self._handle(accepted) for accepted in self.send(calls.enqueue_batch(runs, idempotency_key))]

    def run(self, run_id: str) -> RunHandle:
        """Return a handle on a run, without asking the server whether it exists."""
        return RunHandle(self, run_id)

    def runs(
        self,
        *,
        limit: int | None = None,
        **where: Unpack[Filter],
    ) -> Iterator[RunView]:
        """Iterate over runs, newest first and at most `limit`, fetching pages as needed.

        `where` narrows: status (one or several), category, agent, queue, tag, metadata, user_id, parent_run_id, created_after,
        created_before.
        """
        return self._walk(pages.runs(where, limit))

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

    @contextmanager
    def listen(
        self, *, status: str | Iterable[str] | None = None, agent: str | None = None
    ) -> Iterator[Iterator[Event]]:
        """Hear everything that happens to the tenant's runs while the block runs: `with client.listen() as events:`.

        Nothing is missed from the moment at which the block begins, and nothing that came before is told. The events end
        when the connection does; then look at what may have been missed, and listen again. Raises NotReachable.
        """
        try:
            with self._http.stream(**wire.arguments(listening.request(status, agent), self._timeout)) as response:
                if not response.is_success:
                    response.read()
                answers.expect_stream(response)
                yield _heard(Listening(), response.iter_bytes())
        except httpx.RequestError as error:
            raise answers.not_reachable(self.address.url, error) from error

    def agents(self) -> list[Json]:
        """List the agents that workers serve or have served."""
        return self.send(calls.listing("/v1/agents", "agents"))

    def workers(self) -> list[Json]:
        """List the workers."""
        return self.send(calls.listing("/v1/workers", "workers"))

    def capacity(self) -> list[Json]:
        """List the queues with their slots, and the runs in flight, queued and parked."""
        return self.send(calls.listing("/v1/capacity", "queues"))

    def windows(self) -> list[Json]:
        """List the windows, and whether each is open now."""
        return self.send(calls.listing("/v1/windows", "windows"))

    def window(self, name: str, *, following: int = 5) -> Json:
        """Show a window with its next periods, what it gates, and who changed it."""
        return self.send(operations.window(name, following))

    def put_window(
        self,
        name: str,
        *,
        cron: str,
        duration: Duration,
        timezone: str,
        kind: str = "window",
        on_close: str = "finish",
    ) -> Json:
        """Make or change a window: `cron` in `timezone` says when it begins, `duration` how long it lasts (7 days at most).

        `kind="blackout"` closes within these times instead of outside them. Raises Invalid with the field and the reason.
        """
        return self.send(
            operations.put_window(name, cron=cron, duration=duration, timezone=timezone, kind=kind, on_close=on_close)
        )

    def delete_window(self, name: str) -> None:
        """Delete a window. Raises Conflict while a queue, an agent or a run that has not ended needs it."""
        self.send(operations.delete_window(name))

    def override_window(self, name: str, state: str, *, until: datetime, reason: str | None = None) -> Json:
        """Hold a window "open" or "closed" until a moment, whatever its timetable says."""
        return self.send(operations.override_window(name, state, until, reason))

    def end_override(self, name: str) -> Json:
        """Let a window's timetable decide again."""
        return self.send(operations.end_override(name))

    def queues(self) -> list[Json]:
        """List the queues, and what ops said of each."""
        return self.send(calls.listing("/v1/queues", "queues"))

    def put_queue(self, name: str, *, paused: bool = operations.KEEP, window: str | None = operations.KEEP) -> Json:
        """Pause a queue, or have a window gate its runs (None: no window); what is not given stays as it is."""
        return self.send(operations.gate("queues", name, paused=paused, window=window))

    def put_agent(self, name: str, *, paused: bool = operations.KEEP, window: str | None = operations.KEEP) -> Json:
        """Pause an agent, or have a window gate its runs (None: no window); what is not given stays as it is."""
        return self.send(operations.gate("agents", name, paused=paused, window=window))

    def schedules(self) -> list[Json]:
        """List the tenant's schedules."""
        return self.send(calls.listing("/v1/schedules", "schedules"))

    def schedule(self, name: str) -> Json:
        """Show a schedule: what it enqueues, when it fires next, and what its newest firings came to."""
        return self.send(operations.schedule(name))

    def put_schedule(
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
        """Make a schedule (`cron`, `timezone` and `run` are needed), or change what is given of one that there is.

        While an earlier run goes on a firing is left out (`overlap="skip"`) or its run waits (`"queue"`). Of firings missed
        by more than a minute none is made (`catch_up="none"`) or the last one (`"last"`).
        """
        body = {"cron": cron, "timezone": timezone, "overlap": overlap, "catchUp": catch_up, "paused": paused}
        return self.send(operations.put_schedule(name, body, run))

    def delete_schedule(self, name: str) -> None:
        """Delete a schedule; the runs that it made go on."""
        self.send(operations.delete_schedule(name))

    def run_schedule(self, name: str) -> RunHandle:
        """Make the schedule's run at once, also while it is paused or an earlier run of it goes on."""
        return self._handle(self.send(operations.run_schedule(name)))

    def providers(self) -> list[Json]:
        """List the OAuth providers, never their client secrets."""
        return self.send(calls.listing("/v1/providers", "providers"))

    def provider(self, name: str) -> Json:
        """Show an OAuth provider, never its client secret."""
        return self.send(operations.provider(name))

    def put_provider(
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
        return self.send(
            operations.put_provider(
                name, authorize_url=authorize_url, token_url=token_url, client_id=client_id, client_secret=client_secret,
                client_auth=client_auth, revocation_url=revocation_url, scopes=scopes, parameters=parameters,
            )
        )  # fmt: skip

    def delete_provider(self, name: str) -> None:
        """Forget an OAuth provider; grants that it gave are used until they would have to be renewed."""
        self.send(operations.delete_provider(name))

    def grants(
        self, *, provider: str | None = None, subject: str | None = None, limit: int | None = None
    ) -> Iterator[Json]:
        """Iterate over what people have authorized in this tenant, newest first, revoked ones too."""
        return self._walk(pages.grants(provider, subject, limit))

    def revoke_grant(self, grant_id: str) -> None:
        """Revoke a grant here and, where it can be reached, at its provider."""
        self.send(operations.revoke_grant(grant_id))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, call: Call[T]) -> T:
        """Send one call and read its answer."""
        try:
            response = self._http.request(**wire.arguments(call.request, self._timeout))
        except httpx.RequestError as error:
            raise answers.not_reachable(self.address.url, error) from error
        return answers.read(call, response)

    def _decide(self, wait_or_run: str, decision: people.Decision) -> ApprovalView:
        try:
            return self.send(decision.call(wait_or_run))
        except NotFound:
            asked = list(self.approvals(run_id=wait_or_run))
        return self.send(decision.call(people.the_one(asked, wait_or_run)))

    def _handle(self, accepted: Accepted) -> RunHandle:
        return RunHandle(self, accepted.run.id, accepted)

    def _walk(self, walk: Pages[T]) -> Iterator[T]:
        while not walk.over:
            yield from self.send(walk.call())

    def _drive(self, plan: waiting.Plan) -> RunView:
        try:
            move = next(plan)
            while True:
                try:
                    answer = self._do(move)
                except TaxiwayError as error:
                    move = plan.throw(error)
                else:
                    move = plan.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # StopIteration does not know the plan's type

    def _do(self, move: Call[RunView] | waiting.Pause) -> RunView | None:
        if isinstance(move, waiting.Pause):
            time.sleep(move.seconds)
            return None
        return self.send(move)

    def _connect(self, follow: Follow) -> Iterator[Event]:
        """Yield the events of one connection, to its end."""
        try:
            with self._http.stream(**wire.arguments(follow.request(), self._timeout)) as response:
                if not response.is_success:
                    response.read()
                answers.expect_stream(response)
                for piece in response.iter_bytes():
                    yield from follow.feed(piece)
                    if follow.over:
                        return
        except httpx.RequestError as error:
            raise answers.not_reachable(self.address.url, error) from error


def _heard(listening: Listening, pieces: Iterator[bytes]) -> Iterator[Event]:
    """Wait for the beginning of what is heard; yield it to the end of the connection, in whatever way that comes."""
    first: list[Event] = []
    while not listening.begun:
        first += listening.feed(next(pieces, listening.NOTHING))
    return chain(first, _rest(listening, pieces))


def _rest(listening: Listening, pieces: Iterator[bytes]) -> Iterator[Event]:
    with suppress(httpx.RequestError):
        for piece in pieces:
            yield from listening.feed(piece)


class RunHandle:
    """One run, by its id. `accepted` is set on handles that enqueue() returned."""

    def __init__(self, client: Client, run_id: str, accepted: Accepted | None = None) -> None:
        self.id = run_id
        self.accepted = accepted
        self._client = client

    def __repr__(self) -> str:
        return f"RunHandle({self.id!r})"

    def get(self, *, outputs: bool = False) -> RunView:
        """Fetch the run as it stands, with its newest 200 steps (`outputs`: and what they returned)."""
        return self._client.send(calls.run(self.id, outputs=outputs))

    def steps(self, *, outputs: bool = False) -> Iterator[StepView]:
        """Iterate over all steps."""
        return self._client._walk(pages.steps(self.id, outputs=outputs))

    def logs(self) -> Iterator[LogLine]:
        """Iterate over all stored log lines."""
        return self._client._walk(pages.logs(self.id))

    def events(self, *, after: int | None = None, patience: float | None = wire.PATIENCE) -> Iterator[Event]:
        """Follow the run from its first event (or the one after `after`) until `end`.

        Reconnects by itself and repeats no event. Gives up with NotReachable or Unavailable once the server was away
        for `patience` seconds in a row (None: never).
        """
        follow = Follow(self.id, after, Backoff(patience))
        while not follow.over:
            try:
                yield from self._client._connect(follow)
                pause = 0.0 if follow.over else follow.closed()
            except TaxiwayError as error:
                pause = follow.lost(error)
            time.sleep(pause)

    def result(self, timeout: float | None = None, *, patience: float | None = wire.PATIENCE) -> Any:
        """Wait until the run has ended and return its result.

        Raises RunFailed, RunCanceled, or NotFinished (a TimeoutError) after `timeout` seconds; the run goes on then.
        A server that is away is waited for, up to `patience` seconds in a row.
        """
        return waiting.outcome(self._client._drive(waiting.until_finished(self.id, timeout, Backoff(patience))))

    def cancel(self, reason: str | None = None, grace: Duration | None = None) -> RunView:
        """Cancel the run and return it: CANCELED at once unless it is executing, then it ends within `grace`.

        Raises RunFinished where the run had already ended.
        """
        return self._client.send(calls.cancel(self.id, reason, grace))

    def pause(self, reason: str | None = None) -> RunView:
        """Let the run stand still until it is resumed: at once, or from the edge of its next step on.

        Raises RunFinished where the run had already ended.
        """
        return self._client.send(calls.pause(self.id, reason))

    def resume(self) -> RunView:
        """End a pause of a user's or of the agent's own, or one for code that was mended meanwhile."""
        return self._client.send(calls.resume(self.id))

    def retry(
        self,
        *,
        from_step: str | None = None,
        input: Mapping[str, Any] | None = None,  # noqa: A002 - the API's own word
        idempotency_key: str | None = None,
    ) -> RunHandle:
        """Try a run that has ended again, as a new run that is returned.

        It keeps what went well: succeeded steps, failures that the agent caught, decisions of people. `from_step` (key or name)
        keeps what was recorded before that step; with another `input` nothing is kept. Raises Conflict where the run has
        not ended.
        """
        return self._client._handle(self._client.send(calls.retry(self.id, from_step, input, idempotency_key)))

    def signal(self, name: str, payload: object = None, *, id: str | None = None) -> RunView:  # noqa: A002 - as the API says
        """Send the run a message, kept until its agent waits for one of this name; with the same `id` it counts once.

        Raises RunFinished where the run had already ended.
        """
        return self._client.send(calls.signal(self.id, name, payload, id))

    def approve(self, *, choice: str | None = None, comment: str | None = None) -> ApprovalView:
        """Approve what the run asks; see Client.approve."""
        return self._client.approve(self.id, choice=choice, comment=comment)

    def deny(self, *, comment: str | None = None) -> ApprovalView:
        """Deny what the run asks; see Client.approve."""
        return self._client.deny(self.id, comment=comment)

    def answer(self, answer: Any, *, comment: str | None = None) -> ApprovalView:
        """Answer what the run asks; see Client.approve."""
        return self._client.answer(self.id, answer, comment=comment)
