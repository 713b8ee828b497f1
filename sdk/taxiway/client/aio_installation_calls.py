"""What ops steer an installation with, as calls of the asyncio client: agents, workers, queues, windows, schedules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from taxiway.client import calls, operations
from taxiway.client.aio_connection import AsyncConnection
from taxiway.client.calls import NewRun
from taxiway.client.views import Json
from taxiway.durations import Duration


class AsyncInstallationCalls(AsyncConnection):
    """The part of a client that shows what serves runs, and says when they may go; see Operating."""

    async def agents(self) -> list[Json]:
        """List the agents that workers serve or have served."""
        return await self.send(calls.listing("/v1/agents", "agents"))

    async def workers(self) -> list[Json]:
        """List the workers."""
        return await self.send(calls.listing("/v1/workers", "workers"))

    async def capacity(self) -> list[Json]:
        """List the queues with their slots, and the runs in flight, queued and parked."""
        return await self.send(calls.listing("/v1/capacity", "queues"))

    async def windows(self) -> list[Json]:
        """List the windows, and whether each is open now."""
        return await self.send(calls.listing("/v1/windows", "windows"))

    async def window(self, name: str, *, following: int = 5) -> Json:
        """Show a window with its next periods, what it gates, and who changed it."""
        return await self.send(operations.window(name, following))

    async def put_window(
        self,
        name: str,
        *,
        cron: str,
        duration: Duration,
        timezone: str,
        kind: str = "window",
        on_close: str = "finish",
    ) -> Json:
        """Make or change a window; see Client.put_window."""
        return await self.send(
            operations.put_window(name, cron=cron, duration=duration, timezone=timezone, kind=kind, on_close=on_close)
        )

    async def delete_window(self, name: str) -> None:
        """Delete a window. Raises Conflict while a queue, an agent or a run that has not ended needs it."""
        await self.send(operations.delete_window(name))

    async def override_window(self, name: str, state: str, *, until: datetime, reason: str | None = None) -> Json:
        """Hold a window "open" or "closed" until a moment, whatever its timetable says."""
        return await self.send(operations.override_window(name, state, until, reason))

    async def end_override(self, name: str) -> Json:
        """Let a window's timetable decide again."""
        return await self.send(operations.end_override(name))

    async def queues(self) -> list[Json]:
        """List the queues, and what ops said of each."""
        return await self.send(calls.listing("/v1/queues", "queues"))

    async def put_queue(
        self,
        name: str,
        *,
        limit: int | None = operations.KEEP,
        tenant_limit: int | None = operations.KEEP,
        key_limit: int | None = operations.KEEP,
        hold_keys: bool = operations.KEEP,
        rate: Mapping[str, Any] | None = operations.KEEP,
        weights: Mapping[str, float] | None = operations.KEEP,
        cordoned: bool = operations.KEEP,
        paused: bool = operations.KEEP,
        window: str | None = operations.KEEP,
    ) -> Json:
        """Limit a queue, pause or cordon it, or have a window gate its runs; see Client.put_queue."""
        return await self.send(
            operations.put_queue(
                name, limit=limit, tenant_limit=tenant_limit, key_limit=key_limit, hold_keys=hold_keys, rate=rate,
                weights=weights, cordoned=cordoned, paused=paused, window=window,
            )
        )  # fmt: skip

    async def put_agent(
        self,
        name: str,
        *,
        limit: int | None = operations.KEEP,
        paused: bool = operations.KEEP,
        window: str | None = operations.KEEP,
    ) -> Json:
        """Limit or pause an agent, or have a window gate its runs; what is not given stays, None takes it away."""
        return await self.send(operations.put_agent(name, limit=limit, paused=paused, window=window))

    async def schedules(self) -> list[Json]:
        """List the tenant's schedules."""
        return await self.send(calls.listing("/v1/schedules", "schedules"))

    async def schedule(self, name: str) -> Json:
        """Show a schedule: what it enqueues, when it fires next, and what its newest firings came to."""
        return await self.send(operations.schedule(name))

    async def put_schedule(
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
        """Make or change a schedule; see Client.put_schedule."""
        return await self.send(
            operations.put_schedule(
                name, cron=cron, timezone=timezone, run=run, overlap=overlap, catch_up=catch_up, paused=paused
            )
        )

    async def delete_schedule(self, name: str) -> None:
        """Delete a schedule; the runs that it made go on."""
        await self.send(operations.delete_schedule(name))
