"""The schedule to store, from the body of PUT /v1/schedules/{name} and the row that exists already."""

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
from api.runs.new_run import new_run
from api.runs.request_bodies import LATER, ScheduledRunBody
from models.calendar.recurrence import Recurrence
from models.fleet import queue_settings
from models.operations import schedules
from models.operations.schedules import LockedSchedule
from models.statement import Statement

_NEEDED = ("cron", "timezone", "run")


class ScheduleRequest(Body):
    """A recurring run. Fields that are left out keep the values of an existing schedule."""

    cron: Annotated[Cron, Field(description="Minute, hour, day of month, month, day of week.")] | None = None
    timezone: Annotated[Timezone, Field(description="The IANA time zone of `cron`.")] | None = None
    run: Annotated[
        dict[str, Any] | None,
        Field(
            description="A body of POST /v1/runs without `notBefore`.",
            json_schema_extra={"anyOf": [ScheduledRunBody.model_json_schema(), {"type": "null"}]},
        ),
    ] = None
    overlap: Annotated[
        Literal["skip", "queue"] | None,
        Field(
            description="While an earlier run has not ended: skip the firing (default), or start its run after the earlier one."
        ),
    ] = None
    catchUp: Annotated[  # noqa: N815  as the API spells it
        Literal["none", "last"] | None,
        Field(description="Firings missed by more than a minute: make up for none (default), or for the last one."),
    ] = None
    paused: Annotated[bool | None, Field(description="Whether the schedule is paused; default false.")] = None


def put_statement(
    connection: psycopg.Connection[Any],
    caller: Caller,
    name: str,
    fields: Mapping[str, Any],
    *,
    current: LockedSchedule | None,
    shared: Resources,
) -> Statement[str]:
    """Return the statement that stores the schedule; `current` is None for a new schedule. Raises Problem."""
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
    agent, request, by = _run_to_store(connection, caller, body, current, shared)
    next_at = None if paused else _next_firing(connection, current, cron, timezone)
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


def _run_to_store(
    connection: psycopg.Connection[Any],
    caller: Caller,
    body: ScheduleRequest,
    current: LockedSchedule | None,
    shared: Resources,
) -> tuple[str, str, Any]:
    """Return the agent, the stored description of the run, and the key that its runs are created by."""
    if body.run is None:
        before = _known(current)
        return before.agent, json.dumps(before.request), before.created_by
    if "notBefore" in body.run:
        detail = "is not allowed in a schedule: its cron decides when the run starts"
        raise Problem("unknown_field", f"run.notBefore {detail}.", [FieldError("run.notBefore", detail)])
    wanted = read_as(ScheduledRunBody, body.run, later=LATER, place="run.")
    made = new_run(caller, wanted, shared, "run.")
    if not queue_settings.holds_window(connection, made.window):
        raise Problem("unknown_window", "The window was just deleted.", [FieldError("run.window", "was deleted")])
    request = schedules.request(made, body.run, queue=wanted.queue, timeout_ms=wanted.timeout)
    return made.agent, request, caller.key


def _known(current: LockedSchedule | None) -> LockedSchedule:
    assert current is not None, "what a new schedule needs was checked before"
    return current


def _next_firing(
    connection: psycopg.Connection[Any], current: LockedSchedule | None, cron: str, timezone: str
) -> datetime | None:
    """Return when an active schedule fires next: as before, unless its time table or its pause changed."""
    if current is not None and (current.cron, current.timezone, current.paused) == (cron, timezone, False):
        return current.next_at
    return _first_firing(connection, Recurrence(cron, timezone))


def _first_firing(connection: psycopg.Connection[Any], rule: Recurrence) -> datetime | None:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    return rule.after(row[0])
