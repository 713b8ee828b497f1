"""Turns the body of PUT /v1/schedules/{name}, and what is stored already, into the schedule to store."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import psycopg
from pydantic import Field

from api.http.auth import Caller
from api.http.fields import Cron, Timezone
from api.http.parsing import Body, read_as
from api.http.problems import FieldError, Problem
from api.resources import Resources
from api.runs.create import new_run
from api.runs.envelope import LATER, ScheduledRunBody
from models.calendar.recurrence import Recurrence
from models.fleet import queue_settings
from models.operations import schedules
from models.operations.schedules import LockedSchedule
from models.statement import Statement

_NEEDED = ("cron", "timezone", "run")


class ScheduleRequest(Body):
    """A recurring run; of a schedule that there is, what is left out stays as it is."""

    cron: Annotated[Cron, Field(description="Minute, hour, day of month, month, day of week.")] | None = None
    timezone: Annotated[Timezone, Field(description="The zone whose clock `cron` means, as IANA names it.")] | None = (
        None
    )
    run: Annotated[
        dict[str, Any] | None,
        Field(
            description="As POST /v1/runs takes it, without `notBefore`.",
            json_schema_extra={"anyOf": [ScheduledRunBody.model_json_schema(), {"type": "null"}]},
        ),
    ] = None
    overlap: Annotated[
        Literal["skip", "queue"] | None,
        Field(description="When an earlier run goes on: fire not at all (default), or start when it has ended."),
    ] = None
    catchUp: Annotated[  # noqa: N815  as the API spells it
        Literal["none", "last"] | None,
        Field(description="Of firings missed by more than a minute make none (default), or the last one."),
    ] = None
    paused: Annotated[bool | None, Field(description="Whether it stands still; default false.")] = None


def asked(
    connection: psycopg.Connection[Any],
    caller: Caller,
    name: str,
    fields: Mapping[str, Any],
    *,
    current: LockedSchedule | None,
    shared: Resources,
) -> Statement[str]:
    """Give the statement that stores what is asked for; `current` is the schedule as it is, if there is one."""
    body = read_as(ScheduleRequest, fields)
    missing = [field for field in _NEEDED if getattr(body, field) is None] if current is None else []
    if missing:
        raise Problem(
            "invalid_request", f"{missing[0]} is missing.", [FieldError(field, "is missing") for field in missing]
        )
    cron = " ".join((body.cron or _known(current).cron).split())
    timezone = body.timezone or _known(current).timezone
    was_paused = current is not None and current.paused
    paused = was_paused if body.paused is None else body.paused
    agent, request, by = _run(connection, caller, body, current, shared)
    next_at = None if paused else _next(connection, current, cron, timezone)
    return schedules.put(
        caller.tenant,
        name,
        cron=cron,
        timezone=timezone,
        agent=agent,
        request=request,
        overlap=body.overlap or (current.overlap if current else "skip"),
        catch_up=body.catchUp or (current.catch_up if current else "none"),
        paused=paused,
        next_at=next_at,
        by=by,
    )


def _run(
    connection: psycopg.Connection[Any],
    caller: Caller,
    body: ScheduleRequest,
    current: LockedSchedule | None,
    shared: Resources,
) -> tuple[str, str, Any]:
    """Give the agent, what is stored of the run, and the key in whose name it is made."""
    if body.run is None:
        before = _known(current)
        return before.agent, json.dumps(before.request), before.created_by
    if "notBefore" in body.run:
        why = "has no place in a schedule: its cron says when the run begins"
        raise Problem("unknown_field", f"run.notBefore {why}.", [FieldError("run.notBefore", why)])
    wanted = read_as(ScheduledRunBody, body.run, later=LATER, place="run.")
    made = new_run(caller, wanted, shared, "run.")
    if not queue_settings.holds_window(connection, made.window):
        raise Problem(
            "unknown_window", "The window was deleted a moment ago.", [FieldError("run.window", "was deleted")]
        )
    request = schedules.request(made, body.run, queue=wanted.queue, timeout_ms=wanted.timeout)
    return made.agent, request, caller.key


def _known(current: LockedSchedule | None) -> LockedSchedule:
    assert current is not None, "what a new schedule needs was checked before"
    return current


def _next(
    connection: psycopg.Connection[Any], current: LockedSchedule | None, cron: str, timezone: str
) -> datetime | None:
    """Return when a schedule that is not paused fires next: as before, unless its time table or its pause changed."""
    if current is not None and (current.cron, current.timezone, current.paused) == (cron, timezone, False):
        return current.next_at
    return _first(connection, Recurrence(cron, timezone))


def _first(connection: psycopg.Connection[Any], rule: Recurrence) -> datetime | None:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    return rule.after(row[0])
