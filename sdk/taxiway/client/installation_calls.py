"""Calls that show and configure the installation, blocking: agents, workers, queues, windows, schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack

from taxiway.client import calls, operations
from taxiway.client.connection import Connection
from taxiway.client.options import AgentOptions, QueueOptions, ScheduleOptions, WindowOptions
from taxiway.client.views import Json


class InstallationCalls(Connection):
    """Calls of the client on agents, workers, queues, windows and schedules; Client.run_schedule enqueues."""

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
        """List the windows, with whether each is open now."""
        return self.send(calls.listing("/v1/windows", "windows"))

    def window(self, name: str, *, following: int = 5) -> Json:
        """Fetch a window with its next periods, what it gates, and the author of its last change."""
        return self.send(operations.window(name, following))

    def put_window(self, name: str, **options: Unpack[WindowOptions]) -> Json:
        """Create or replace a window, which begins by `cron` in `timezone` and lasts for `duration` (7 days at most).

        `kind="blackout"` closes within these times instead of outside them; `on_close` is "finish" or "pause".
        WindowOptions documents each option. Raises Invalid with the field and the reason.
        """
        return self.send(operations.put_window(name, options))

    def delete_window(self, name: str) -> None:
        """Delete a window. Raises Conflict while a queue, an agent or a run that has not ended needs it."""
        self.send(operations.delete_window(name))

    def override_window(self, name: str, state: str, *, until: datetime, reason: str | None = None) -> Json:
        """Hold a window "open" or "closed" until a time, against its timetable."""
        return self.send(operations.override_window(name, state, until, reason))

    def end_override(self, name: str) -> Json:
        """End an override: the window follows its timetable again."""
        return self.send(operations.end_override(name))

    def queues(self) -> list[Json]:
        """List the queues with their settings."""
        return self.send(calls.listing("/v1/queues", "queues"))

    def put_queue(self, name: str, **options: Unpack[QueueOptions]) -> Json:
        """Limit, pause or cordon a queue, or let a window gate its runs; a missing option stays, None removes it.

        The options are limit, tenant_limit, key_limit, hold_keys, rate, weights, cordoned, paused and window.
        QueueOptions documents each.
        """
        return self.send(operations.put_queue(name, options))

    def put_agent(self, name: str, **options: Unpack[AgentOptions]) -> Json:
        """Limit or pause an agent, or let a window gate its runs; a missing option stays, None removes it.

        The options are limit, paused and window.
        """
        return self.send(operations.put_agent(name, options))

    def schedules(self) -> list[Json]:
        """List the tenant's schedules."""
        return self.send(calls.listing("/v1/schedules", "schedules"))

    def schedule(self, name: str) -> Json:
        """Fetch a schedule: what it enqueues, when it fires next, and the results of its newest firings."""
        return self.send(operations.schedule(name))

    def put_schedule(self, name: str, **options: Unpack[ScheduleOptions]) -> Json:
        """Create a schedule (needs `cron`, `timezone` and `run`), or change the given options of an existing one.

        While an earlier run has not ended, a firing is left out (`overlap="skip"`) or its run waits (`"queue"`). Of
        firings missed by more than a minute, none is made up for (`catch_up="none"`) or the last one (`"last"`).
        """
        return self.send(operations.put_schedule(name, options))

    def delete_schedule(self, name: str) -> None:
        """Delete a schedule; its runs continue."""
        self.send(operations.delete_schedule(name))
