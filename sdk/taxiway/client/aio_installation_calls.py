"""Calls that show and configure the installation, awaited: agents, workers, queues, windows, schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack

from taxiway.client import calls, operations
from taxiway.client.aio_connection import AsyncConnection
from taxiway.client.options import AgentOptions, QueueOptions, ScheduleOptions, WindowOptions
from taxiway.client.views import Json


class AsyncInstallationCalls(AsyncConnection):
    """Calls of the asyncio client on agents, workers, queues, windows and schedules."""

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
        """List the windows, with whether each is open now."""
        return await self.send(calls.listing("/v1/windows", "windows"))

    async def window(self, name: str, *, following: int = 5) -> Json:
        """Fetch a window with its next periods, what it gates, and the author of its last change."""
        return await self.send(operations.window(name, following))

    async def put_window(self, name: str, **options: Unpack[WindowOptions]) -> Json:
        """Create or replace a window, which begins by `cron` in `timezone` and lasts for `duration` (7 days at most).

        `kind="blackout"` closes within these times instead of outside them; `on_close` is "finish" or "pause".
        WindowOptions documents each option. Raises Invalid with the field and the reason.
        """
        return await self.send(operations.put_window(name, options))

    async def delete_window(self, name: str) -> None:
        """Delete a window. Raises Conflict while a queue, an agent or a run that has not ended needs it."""
        await self.send(operations.delete_window(name))

    async def override_window(self, name: str, state: str, *, until: datetime, reason: str | None = None) -> Json:
        """Hold a window "open" or "closed" until a time, against its timetable."""
        return await self.send(operations.override_window(name, state, until, reason))

    async def end_override(self, name: str) -> Json:
        """End an override: the window follows its timetable again."""
        return await self.send(operations.end_override(name))

    async def queues(self) -> list[Json]:
        """List the queues with their settings."""
        return await self.send(calls.listing("/v1/queues", "queues"))

    async def put_queue(self, name: str, **options: Unpack[QueueOptions]) -> Json:
        """Limit, pause or cordon a queue, or let a window gate its runs; a missing option stays, None removes it.

        The options are limit, tenant_limit, key_limit, hold_keys, rate, weights, cordoned, paused and window.
        QueueOptions documents each.
        """
        return await self.send(operations.put_queue(name, options))

    async def put_agent(self, name: str, **options: Unpack[AgentOptions]) -> Json:
        """Limit or pause an agent, or let a window gate its runs; a missing option stays, None removes it.

        The options are limit, paused and window.
        """
        return await self.send(operations.put_agent(name, options))

    async def schedules(self) -> list[Json]:
        """List the tenant's schedules."""
        return await self.send(calls.listing("/v1/schedules", "schedules"))

    async def schedule(self, name: str) -> Json:
        """Fetch a schedule: what it enqueues, when it fires next, and the results of its newest firings."""
        return await self.send(operations.schedule(name))

    async def put_schedule(self, name: str, **options: Unpack[ScheduleOptions]) -> Json:
        """Create a schedule (needs `cron`, `timezone` and `run`), or change the given options of an existing one.

        While an earlier run has not ended, a firing is left out (`overlap="skip"`) or its run waits (`"queue"`). Of
        firings missed by more than a minute, none is made up for (`catch_up="none"`) or the last one (`"last"`).
        """
        return await self.send(operations.put_schedule(name, options))

    async def delete_schedule(self, name: str) -> None:
        """Delete a schedule; its runs continue."""
        await self.send(operations.delete_schedule(name))
