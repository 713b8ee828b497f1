"""Bulk operations on runs: their calls, and their progress as a typed value. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from taxiway.client.calls import Answer, Call, Request, post, segment
from taxiway.client.pages import Filter, spelling
from taxiway.client.views import Json, moment

LOOK_SECONDS = 0.5
"""Seconds between two requests for the progress of an operation."""


@dataclass(frozen=True)
class BulkView:
    """The progress of a bulk operation at one moment. `id` is None if the runs were only counted.

    `matched` is the number of runs to which the action applied at the time of the call. Since then it was `done` to some;
    `skipped` counts runs to which it no longer applied, `failed` those on which the server failed. With `counted_all`
    False there may be more than `matched`, because the server counts a bounded number of runs.
    """

    id: str | None
    action: str
    matched: int
    done: int
    skipped: int
    failed: int
    created_at: datetime | None
    finished_at: datetime | None
    raw: Json = field(repr=False, compare=False)
    counted_all: bool = True

    @property
    def finished(self) -> bool:
        """Whether the operation has ended."""
        return self.id is None or self.finished_at is not None

    @classmethod
    def read(cls, raw: Json) -> BulkView:
        """Build from the JSON of the API."""
        return cls(
            id=raw.get("bulkId"),
            action=raw.get("action") or "",
            matched=raw.get("matched") or 0,
            done=raw.get("done") or 0,
            skipped=raw.get("skipped") or 0,
            failed=raw.get("failed") or 0,
            created_at=moment(raw.get("createdAt")),
            finished_at=moment(raw.get("finishedAt")),
            raw=raw,
            counted_all=raw.get("countedAll") is not False,
        )


def start(action: str, where: Filter, *, dry_run: bool) -> Call[BulkView]:
    """POST /v1/runs/bulk/{action}."""
    body = {"filter": _filter(where), "dryRun": dry_run}
    return Call(post(_path(action), body), _read)


def look(bulk_id: str) -> Call[BulkView]:
    """GET /v1/runs/bulk/{bulkId}."""
    return Call(Request("GET", _path(bulk_id)), _read)


def _path(last: str) -> str:
    if not last or last in (".", ".."):
        raise ValueError(f"{last!r} is no action, and no id of an operation")
    return f"/v1/runs/bulk/{segment(last)}"


def _read(answer: Answer) -> BulkView:
    return BulkView.read(answer.json)


def _filter(where: Filter) -> dict[str, Any]:
    return {spelling(name): _value(name, value) for name, value in where.items() if value is not None}


def _value(name: str, value: object) -> object:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.astimezone()).isoformat()
    if name in ("status", "tag"):
        return [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else value
    return dict(value) if isinstance(value, Mapping) else value
