"""What ops steer an installation with, as calls of the blocking client: agents, workers, queues, windows, schedules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from taxiway.client import calls, operations
from taxiway.client.calls import NewRun
from taxiway.client.connection import Connection
from taxiway.client.views import Json
from taxiway.durations import Duration


class InstallationCalls(Connection):
    """The part of a client that shows what serves runs, and says when they may go. It makes none: see Client.run_schedule."""

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

    def put_queue(
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
        """Limit a queue, pause or cordon it, or have a window gate its runs; what is not given stays, None takes it away.

        `limit` and `tenant_limit` count runs in flight at once, of all and of one tenant; `key_limit` those of one concurrency
        key (None: one), whose place a run that parks keeps with `hold_keys`. `rate={"limit": 100, "per": "1m"}` is how many new
        runs start within any such span. `weights={"acme": 2}` are the tenants' shares, all of them: who is not named has 1.
        """
        return self.send(
            operations.put_queue(
                name, limit=limit, tenant_limit=tenant_limit, key_limit=key_limit, hold_keys=hold_keys, rate=rate,
                weights=weights, cordoned=cordoned, paused=paused, window=window,
            )
        )  # fmt: skip

    def put_agent(
        self,
        name: str,
        *,
        limit: int | None = operations.KEEP,
        paused: bool = operations.KEEP,
        window: str | None = operations.KEEP,
    ) -> Json:
        """Limit or pause an agent, or have a window gate its runs; what is not given stays, None takes it away."""
        return self.send(operations.put_agent(name, limit=limit, paused=paused, window=window))

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
        return self.send(
            operations.put_schedule(
                name, cron=cron, timezone=timezone, run=run, overlap=overlap, catch_up=catch_up, paused=paused
            )
        )

    def delete_schedule(self, name: str) -> None:
        """Delete a schedule; the runs that it made go on."""
        self.send(operations.delete_schedule(name))
