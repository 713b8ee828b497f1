"""Runs, steps, log lines and events of the server as typed values; `raw` keeps the whole JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = Mapping[str, Any]

TERMINAL = frozenset({"SUCCESS", "FAILED", "CANCELED"})
PARKED = frozenset({"AUTH_REQUIRED", "PAUSED"})


def moment(text: object) -> datetime | None:
    """Return an RFC 3339 time; None if missing or unreadable (a newer server must not break an older client)."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


@dataclass(frozen=True)
class RunError:
    """Why a run or a step failed."""

    code: str
    type: str | None
    message: str
    step: str | None = None
    attempts: int | None = None
    raw: Json = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, raw: object) -> RunError | None:
        """Build from JSON; None without an error."""
        if not isinstance(raw, Mapping):
            return None
        return cls(
            code=raw.get("code") or "error",
            type=raw.get("type"),
            message=raw.get("message") or "",
            step=raw.get("step"),
            attempts=raw.get("attempts"),
            raw=raw,
        )


@dataclass(frozen=True)
class StepView:
    """One step of a run. `output` is None unless outputs were requested."""

    key: str
    name: str
    status: str
    attempts: int
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    output: Any
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, raw: Json) -> StepView:
        """Build from one item of `stepsFinished`."""
        return cls(
            key=raw.get("key") or "",
            name=raw.get("name") or "",
            status=raw.get("status") or "",
            attempts=raw.get("attempts") or 0,
            started_at=moment(raw.get("startedAt")),
            finished_at=moment(raw.get("finishedAt")),
            duration_ms=raw.get("durationMs"),
            output=raw.get("output"),
            raw=raw,
        )


@dataclass(frozen=True)
class RunView:
    """A run at one moment. Lists of runs leave out `input`, `result` and `steps`.

    `open_waits` are the waits of an executing run; those of a parked run are in `pause`.
    """

    id: str
    status: str
    agent: str
    category: str | None
    execution_status: str | None
    executing: bool
    input: Any
    result: Any
    error: RunError | None
    reason: str | None
    pause: Json | None
    steps: tuple[StepView, ...]
    steps_total: int
    step_in_flight: Any
    queue: str | None
    priority: int
    user_id: str | None
    metadata: Mapping[str, str]
    tags: tuple[str, ...]
    activations: int
    active_ms: int
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    raw: Json = field(repr=False, compare=False)
    concurrency_key: str | None = None
    on_conflict: str | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None
    open_waits: tuple[Json, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether the run has ended."""
        return self.status in TERMINAL

    @property
    def parked(self) -> bool:
        """Whether the run is parked on a wait or a pause."""
        return self.status in PARKED

    @property
    def awaits(self) -> tuple[Json, ...]:
        """The waits of the run, parked or executing, as the API shows them: 100 at most, those for people first."""
        return (*((self.pause or {}).get("waits") or ()), *self.open_waits)

    @property
    def paused_by_user(self) -> bool:
        """Whether a user paused the run."""
        return self.pause is not None and self.pause.get("kind") == "user"

    @classmethod
    def read(cls, raw: Json) -> RunView:
        """Build from a Run of the API; members that are missing become None or empty."""
        return cls(
            id=raw["runId"],
            status=raw["status"],
            agent=raw.get("agent") or "",
            category=raw.get("category"),
            execution_status=raw.get("executionStatus"),
            executing=bool(raw.get("executing")),
            input=raw.get("input"),
            result=raw.get("result"),
            error=RunError.read(raw.get("error")),
            reason=raw.get("reason"),
            pause=raw.get("pause"),
            steps=tuple(StepView.read(step) for step in raw.get("stepsFinished") or ()),
            steps_total=raw.get("stepsTotal") or 0,
            step_in_flight=raw.get("stepInFlight"),
            queue=raw.get("queue"),
            priority=raw.get("priority") or 0,
            user_id=raw.get("userId"),
            metadata=raw.get("metadata") or {},
            tags=tuple(raw.get("tags") or ()),
            activations=raw.get("activations") or 0,
            active_ms=raw.get("activeMs") or 0,
            created_at=moment(raw.get("createdAt")),
            started_at=moment(raw.get("startedAt")),
            finished_at=moment(raw.get("finishedAt")),
            concurrency_key=raw.get("concurrencyKey"),
            on_conflict=raw.get("onConflict"),
            not_before=moment(raw.get("notBefore")),
            expires_at=moment(raw.get("expiresAt")),
            open_waits=tuple(raw.get("openWaits") or ()),
            raw=raw,
        )


@dataclass(frozen=True)
class LogLine:
    """One line that an agent logged."""

    at: datetime | None
    level: str
    message: str
    step: str | None
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, raw: Json) -> LogLine:
        """Build from one item of a run's logs, or from the data of a `log` event."""
        return cls(
            at=moment(raw.get("timestamp") or raw.get("at")),
            level=raw.get("level") or "info",
            message=raw.get("message") or "",
            step=raw.get("step"),
            raw=raw,
        )


@dataclass(frozen=True)
class Event:
    """One event of a run's stream. `id` is None for a live-only event, which is neither stored nor repeated."""

    type: str
    id: int | None
    data: Json
