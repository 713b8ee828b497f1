"""Calls of the API as values: what to send, and how to read the answer. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import UUID

from taxiway.agent_references import AnyAgent, Inputs, refer_to
from taxiway.client.errors import NotSendable
from taxiway.client.views import Json, RunView
from taxiway.durations import Duration, seconds
from taxiway.encode import json_text
from taxiway.errors import InvalidValue
from taxiway.shapes import Shape

T = TypeVar("T")

PAGE = 200


@dataclass(frozen=True)
class Request:
    """One HTTP request. `wait` is the number of seconds for which the server may hold its answer back."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0.0


@dataclass(frozen=True)
class Answer:
    """A successful answer: its status, headers and decoded JSON."""

    status: int
    headers: Mapping[str, str]
    json: Any


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and the function that reads its answer."""

    request: Request
    read: Callable[[Answer], T]


@dataclass(frozen=True)
class NewRun:
    """A run to be enqueued; the server fills in what is None.

    `agent` is the agent's name or its declared function. NewRunOptions documents the other fields.
    """

    agent: AnyAgent
    input: Inputs = None
    user_id: str | None = None
    queue: str | None = None
    priority: int | None = None
    timeout: Duration | None = None
    metadata: Mapping[str, str] | None = None
    tags: Iterable[str] | None = None
    approval_strategy: str | None = None
    window: str | None = None
    not_before: datetime | str | None = None
    expires_in: Duration | None = None
    concurrency_key: str | None = None
    on_conflict: str | None = None

    @property
    def shape(self) -> Shape | None:
        """The shape of its result; None if the agent was given by name."""
        return None if isinstance(self.agent, str) else refer_to(self.agent).shape

    def body(self) -> dict[str, Any]:
        """Return the body of POST /v1/runs, without what is None."""
        given = {
            "agent": self.agent if isinstance(self.agent, str) else refer_to(self.agent).name,
            "input": self.input,
            "userId": self.user_id,
            "queue": self.queue,
            "window": self.window,
            "priority": self.priority,
            "timeout": None if self.timeout is None else seconds(self.timeout),
            "metadata": None if self.metadata is None else dict(self.metadata),
            "tags": None if self.tags is None else list(self.tags),
            "approvalStrategy": self.approval_strategy,
            "notBefore": zoned(self.not_before, "not_before")
            if isinstance(self.not_before, datetime)
            else self.not_before,
            "expiresIn": None if self.expires_in is None else seconds(self.expires_in),
            "concurrencyKey": self.concurrency_key,
            "onConflict": self.on_conflict,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Accepted:
    """Result of an enqueue: the run, and whether an earlier, equal request had already created it."""

    run: RunView
    replayed: bool


def enqueue(new: NewRun, idempotency_key: str | UUID | None) -> Call[Accepted]:
    """POST /v1/runs."""
    return Call(post("/v1/runs", new.body(), idempotency_key), _read_accepted)


def retry(
    run_id: str, from_step: str | None, given: Mapping[str, Any] | None, idempotency_key: str | UUID | None
) -> Call[Accepted]:
    """POST /v1/runs/{runId}/retry."""
    options = {"fromStep": from_step, "input": given}
    body = {name: value for name, value in options.items() if value is not None}
    return Call(post(run_path(run_id, "retry"), body, idempotency_key), _read_accepted)


def new_runs(given: Iterable[NewRun | Mapping[str, Any]]) -> list[NewRun]:
    """Return the given runs as NewRuns; mappings hold the keyword arguments of enqueue()."""
    return [new if isinstance(new, NewRun) else NewRun(**new) for new in given]


def enqueue_batch(news: Iterable[NewRun], idempotency_key: str | UUID | None) -> Call[list[Accepted]]:
    """POST /v1/runs/batch."""
    bodies = [new.body() for new in news]

    def read(answer: Answer) -> list[Accepted]:
        replayed = answer.status == 200
        return [Accepted(RunView.read(run), replayed) for run in answer.json["runs"]]

    return Call(post("/v1/runs/batch", {"runs": bodies}, idempotency_key), read)


def run(run_id: str, *, outputs: bool = False) -> Call[RunView]:
    """GET /v1/runs/{runId}."""
    params = (("includeOutputs", "true"),) if outputs else ()
    return Call(Request("GET", run_path(run_id), params), _read_run)


def wait(run_id: str, longest: int) -> Call[RunView]:
    """GET /v1/runs/{runId}/wait: answers when the run has ended or parked, or after so many seconds."""
    params = (("timeout", str(longest)),)
    return Call(Request("GET", run_path(run_id, "wait"), params, wait=longest), _read_run)


def cancel(run_id: str, reason: str | None, grace: Duration | None) -> Call[RunView]:
    """POST /v1/runs/{runId}/cancel."""
    given = {"reason": reason, "grace": None if grace is None else seconds(grace)}
    body = {name: value for name, value in given.items() if value is not None}
    return Call(post(run_path(run_id, "cancel"), body), _read_run)


def pause(run_id: str, reason: str | None) -> Call[RunView]:
    """POST /v1/runs/{runId}/pause."""
    return Call(post(run_path(run_id, "pause"), {} if reason is None else {"reason": reason}), _read_run)


def resume(run_id: str) -> Call[RunView]:
    """POST /v1/runs/{runId}/resume."""
    return Call(post(run_path(run_id, "resume"), {}), _read_run)


def signal(run_id: str, name: str, payload: object, signal_id: str | None) -> Call[RunView]:
    """POST /v1/runs/{runId}/signals/{name}."""
    body = {"payload": payload} if signal_id is None else {"payload": payload, "id": signal_id}
    return Call(post(run_path(run_id, "signals", segment(name)), body), _read_run)


def listing(path: str, name: str) -> Call[list[Json]]:
    """GET a list that has one page: /v1/agents, /v1/workers, /v1/capacity."""
    return Call(Request("GET", path), lambda answer: list(answer.json[name]))


def zoned(at: datetime, name: str) -> str:
    """Return a time as the API reads it; raise ValueError if it has no zone."""
    if at.tzinfo is None:
        raise ValueError(f"{name} needs a time zone, such as datetime.now(UTC) has")
    return at.isoformat()


def run_path(run_id: str, *more: str) -> str:
    """Return the path of a run; the id is quoted, so that no id can name another resource."""
    if not run_id or run_id in (".", ".."):
        raise ValueError(f"{run_id!r} is not a run id")
    return "/".join(("/v1/runs", segment(run_id), *more))


def segment(name: str) -> str:
    """Quote a name, slashes included, as one segment of a path; raise NotSendable for one that cannot be a segment."""
    if not name or name in (".", ".."):
        raise NotSendable(f"{name!r} cannot be a name: it does not fit into an address")
    try:
        return quote(name, safe="")
    except UnicodeEncodeError:
        raise NotSendable("a name contains half of a surrogate pair, which is not Unicode") from None


def _read_accepted(answer: Answer) -> Accepted:
    return Accepted(RunView.read(answer.json), replayed=answer.status == 200)


def _read_run(answer: Answer) -> RunView:
    return RunView.read(answer.json)


def post(path: str, body: Mapping[str, Any], idempotency_key: str | UUID | None = None) -> Request:
    """Return a POST that carries JSON."""
    headers = {} if idempotency_key is None else {"idempotency-key": _header(str(idempotency_key))}
    return with_body("POST", path, body, headers)


def with_body(method: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Request:
    """Return a request that carries JSON, by the rules of step results; raise NotSendable with the path of a bad value."""
    try:
        text = json_text(body)
    except InvalidValue as error:
        raise NotSendable(str(error)) from None
    return Request(method, path, body=text.encode(), headers={"content-type": "application/json", **(headers or {})})


def _header(key: str) -> str:
    if not key.isascii() or not key.isprintable() or key != key.strip():
        raise NotSendable(
            f"The idempotency key {key!r:.80} cannot be sent: it is an HTTP header, which takes printable ASCII without "
            "spaces around it. Pass urllib.parse.quote(key) or its SHA-256 instead."
        )
    return key
