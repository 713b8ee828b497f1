"""Runs and their surroundings as values, for the tests of explanations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from api.explain.blocker import Blocker
from api.explain.snapshot import AgentRule, Parked, Ready, Serving, Windows
from models.tables.queue import Queue
from models.tables.run import Run
from models.tables.wait import Wait
from models.tables.window import Window

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
SOON = NOW + timedelta(seconds=5)
ONE, TWO = UUID(int=1), UUID(int=2)
W1 = Serving(ONE, "w1", ["echo"], slots=2, leased=2, draining=False, consuming=True)


def run(**columns: Any) -> Run:
    base = {"id": UUID(int=7), "tenant": "acme", "agent": "echo", "queue": "default", "ready_at": NOW - HOUR}
    return Run(**{**base, "created_at": NOW - HOUR, "resumed": False, "priority": 0, "fair_tag": 0.0, **columns})


def queue(**columns: Any) -> Queue:
    return Queue(**{"name": "default", **columns})


def window(name: str, **columns: Any) -> Window:
    """Return a window that is open from 22:00 to 23:00."""
    return Window(**{"name": name, "cron": "0 22 * * *", "duration_ms": 3_600_000, "timezone": "UTC", **columns})


def ready(the_run: Run | None = None, **facts: Any) -> Ready:
    windows = Windows(NOW, {one.name: one for one in facts.pop("windows", [])})
    given = {"queue": queue(), "windows": windows, "agents": {"echo": AgentRule("echo")}, "workers": [W1], **facts}
    return Ready(NOW, the_run or run(), **given)


def kinds(blockers: Sequence[Blocker]) -> list[str]:
    return [blocker.kind.value for blocker in blockers]


def only(blockers: Sequence[Blocker]) -> Blocker:
    [blocker] = blockers
    return blocker


def wait(kind: str, request: dict[str, Any] | None = None, **columns: Any) -> Wait:
    return Wait(**{"id": ONE, "kind": kind, "request": request, "opened_at": NOW - HOUR, "wake": "all", **columns})


def run_state(*waits: Wait, the_run: Run | None = None, **facts: Any) -> Parked:
    windows = Windows(NOW, {one.name: one for one in facts.pop("windows", [])})
    return Parked(NOW, the_run or run(status="PAUSED", pause_kind="agent"), windows, waits=waits, **facts)
