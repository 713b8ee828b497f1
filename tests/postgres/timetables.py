"""Windows for tests: open or closed all day, until an override."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from models.calendar import windows
from tests.postgres.factory import World

ALWAYS = {"cron": "0 * * * *", "duration_ms": 3_600_000, "timezone": "Europe/Berlin", "on_close": "finish", "by": "ann"}


def put(world: World, name: str, *, is_open: bool = True, **fields: Any) -> None:
    kind = "window" if is_open else "blackout"
    assert windows.put(name, **{**ALWAYS, "kind": kind, **fields}).one(world.connection)


def turn(world: World, name: str, state: str, seconds: float = 60) -> None:
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    assert windows.override(name, state=state, until=until, by="ann", reason="test").one(world.connection)
