"""Lists in pages, walked as one. No I/O: a driver sends each call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypedDict, TypeVar

from taxiway.client.calls import PAGE, Answer, Call, Request, run_path
from taxiway.client.options import api_name
from taxiway.client.views import Json, LogLine, RunView, StepView

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds for which a walk waits while the server answers that too many such calls are in progress."""


@dataclass
class Pages(Generic[T]):
    """A walk through the pages of one list, at most `limit` items long; an empty page need not be the last."""

    path: str
    member: str
    build: Callable[[Json], T]
    params: tuple[tuple[str, str], ...] = ()
    limit: int | None = None
    cursor: str | None = None
    over: bool = False

    def call(self) -> Call[list[T]]:
        """Return the call for the next page; reading its answer advances the walk."""
        size = PAGE if self.limit is None else min(self.limit, PAGE)
        params = (*self.params, ("limit", str(size)))
        if self.cursor is not None:
            params = (*params, ("cursor", self.cursor))
        return Call(Request("GET", self.path, params), self._take)

    def _take(self, answer: Answer) -> list[T]:
        items = [self.build(item) for item in answer.json[self.member]]
        if self.limit is not None:
            items = items[: self.limit]
            self.limit -= len(items)
        cursor = answer.json.get("nextCursor")
        # A cursor that repeats itself would walk the same page forever.
        self.over = not cursor or cursor == self.cursor or self.limit == 0
        self.cursor = cursor
        return items


class Filter(TypedDict, total=False):
    """Filter of runs; a criterion that is missing or None matches every run."""

    status: str | Iterable[str] | None
    category: str | None
    agent: str | None
    queue: str | None
    tag: str | Iterable[str] | None
    user_id: str | None
    parent_run_id: str | None
    metadata: Mapping[str, str] | None
    created_after: datetime | str | None
    created_before: datetime | str | None


def spelling(name: str) -> str:
    """Return a criterion's name as the API spells it; raise TypeError for an unknown one."""
    if name not in Filter.__annotations__:
        raise TypeError(f"{name} is not a criterion; the criteria are: {', '.join(Filter.__annotations__)}")
    return api_name(name)


def runs(where: Filter, limit: int | None) -> Pages[RunView]:
    """GET /v1/runs, newest first; `limit` is the maximum over all pages."""
    if limit is not None and limit < 1:
        raise ValueError("limit must be at least 1")
    return Pages("/v1/runs", "runs", RunView.read, tuple(_query(where)), limit)


def _query(where: Filter) -> Iterator[tuple[str, str]]:
    for name, value in where.items():
        spelled = spelling(name)
        if isinstance(value, Mapping):
            yield from ((f"{name}.{key}", str(item)) for key, item in value.items())
        elif isinstance(value, datetime):
            yield spelled, (value if value.tzinfo else value.astimezone()).isoformat()
        elif isinstance(value, str):
            yield spelled, value
        elif isinstance(value, Iterable):
            yield from ((name, str(item)) for item in value)


def steps(run_id: str, *, outputs: bool = False) -> Pages[StepView]:
    """GET /v1/runs/{runId}/steps."""
    params = (("includeOutputs", "true"),) if outputs else ()
    return Pages(run_path(run_id, "steps"), "steps", StepView.read, params)


def logs(run_id: str) -> Pages[LogLine]:
    """GET /v1/runs/{runId}/logs."""
    return Pages(run_path(run_id, "logs"), "logs", LogLine.read)


def grants(provider: str | None, subject: str | None, limit: int | None) -> Pages[Json]:
    """GET /v1/grants, newest first."""
    given = {"provider": provider, "subject": subject}
    params = tuple((name, value) for name, value in given.items() if value is not None)
    return Pages("/v1/grants", "grants", dict, params, limit)
