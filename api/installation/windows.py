"""GET, PUT and DELETE /v1/windows: recurring times in which runs may start or resume, or may not."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.responses import Response

from api.http.auth import Caller, may
from api.http.body import body_within, json_object, small_limit
from api.http.durations import iso
from api.http.fields import Cron, Period, Timezone
from api.http.openapi_responses import BODY, refusals, request_body, response
from api.http.parsing import Body, read_as
from api.http.path_names import NAMED
from api.http.problems import Problem, invalid
from api.http.responses import Answer
from api.http.transactions import reading, transaction
from api.shapes import WindowBody, WindowChangeBody, WindowList, WindowSummary
from models.calendar import windows
from models.calendar.window_state import standing, timetable
from models.calendar.window_times import Standing
from models.runs.public_event import timestamp
from models.runtime.facts import fact
from models.tables.agent import Agent
from models.tables.queue import Queue
from models.tables.window import Window
from models.tables.window_change import WindowChange

router = APIRouter(tags=["Installation"])

_EXAMPLE = {"cron": "0 22 * * 1-5", "duration": "PT8H", "timezone": "Europe/Berlin"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NAME_RULE = "must be 1 to 100 letters, digits, dots, dashes and underscores, the first a letter or digit"
_CHANGES = 20
_NEXT = 5


class PutWindow(Body):
    """The times in which a window is open, or a blackout closed."""

    cron: Annotated[Cron, Field(description="Beginning: minute, hour, day of month, month, day of week.")]
    duration: Annotated[Period, Field(description="Elapsed time, at most 7 days: seconds or ISO 8601.")]
    timezone: Annotated[Timezone, Field(description="IANA name of the zone of `cron`.")]
    kind: Annotated[
        Literal["window", "blackout"],
        Field(description="Whether runs may start or resume within these times or outside them."),
    ] = "window"
    onClose: Annotated[  # noqa: N815  as the API spells it
        Literal["finish", "pause"],
        Field(
            description="Runs that execute when it closes: `finish` lets them continue until they wait or end, `pause` parks "
            "them before their next step until it opens."
        ),
    ] = "finish"


@router.get("/v1/windows", response_model=WindowList, summary="Windows", responses=refusals())
def list_windows(_caller: Annotated[Caller, Depends(may("read"))]) -> Answer:
    """List all windows, and whether each is open now."""
    with reading() as session:
        now = _now(session)
        found = session.exec(select(Window).order_by(col(Window.name))).all()
    return Answer({"windows": [_summary(window, now) for window in found]})


@router.get(f"/v1/windows/{NAMED}", response_model=WindowBody, summary="A window", responses=refusals("not_found"))
def read_window(
    name: str,
    _caller: Annotated[Caller, Depends(may("read"))],
    following: Annotated[int, Query(alias="next", ge=0, le=50, description="Number of periods to show.")] = _NEXT,
) -> Answer:
    """Return a window: its state, its next periods, the queues and agents that it gates, and its changes."""
    return Answer(shown(name, following))


@router.put(
    f"/v1/windows/{NAMED}",
    response_model=WindowBody,
    summary="Make or change a window",
    responses=refusals(*BODY),
    openapi_extra=request_body(PutWindow, _EXAMPLE),
)
def put_window(
    name: str,
    caller: Annotated[Caller, Depends(may("operate"))],
    raw: Annotated[bytes, Depends(body_within(small_limit))],
) -> Answer:
    """Make or replace a window; an override stays. The change takes effect within a second."""
    if not NAME.fullmatch(name):
        raise invalid("name", NAME_RULE)
    body = read_as(PutWindow, json_object(raw))
    given = {
        "cron": " ".join(body.cron.split()),
        "timezone": body.timezone,
        "kind": body.kind,
        "on_close": body.onClose,
    }
    with transaction() as connection:
        windows.put(name, **given, duration_ms=body.duration, by=caller.name).one(connection)
    fact("window.put", window=name, by=caller.name)
    return Answer(shown(name, _NEXT))


@router.delete(
    f"/v1/windows/{NAMED}",
    status_code=204,
    response_model=None,
    summary="Delete a window",
    responses=response(204, "It is deleted.") | refusals("not_found", "conflict"),
)
def delete_window(name: str, caller: Annotated[Caller, Depends(may("operate"))]) -> Response:
    """Delete a window that no queue, agent or unfinished run uses."""
    with transaction() as connection:
        if windows.delete(name, by=caller.name).one(connection) is None:
            raise unknown(name)
        used = windows.used(name).all(connection)
        if used:
            raise Problem("conflict", f"The window {name} is still used by {', '.join(used)}.", more={"usedBy": used})
    fact("window.deleted", window=name, by=caller.name)
    return Response(status_code=204)


def shown(name: str, following: int = _NEXT) -> WindowBody:
    """Return a window with all details; raises Problem `not_found`."""
    with reading() as session:
        now, window = _now(session), session.get(Window, name)
        if window is None:
            raise unknown(name)
        queues = session.exec(select(Queue.name).where(Queue.window_name == name).order_by(Queue.name)).all()
        agents = session.exec(select(Agent.name).where(Agent.window_name == name).order_by(Agent.name)).all()
        newest = select(WindowChange).where(WindowChange.window_name == name).order_by(col(WindowChange.id).desc())
        changes = session.exec(newest.limit(_CHANGES)).all()
    try:
        periods = timetable(window).next_periods(now, following)
    except ValueError:
        periods = []
    return {
        **_summary(window, now),
        "next": [{"begins": timestamp(period.begins), "ends": timestamp(period.ends)} for period in periods],
        "queues": list(queues),
        "agents": list(agents),
        "changes": [_change(change) for change in changes],
    }


def unknown(name: str) -> Problem:
    """Return the problem of an unknown window."""
    return Problem("not_found", f"There is no window {name[:100]}: see GET /v1/windows.")


def _now(session: Session) -> datetime:
    return session.exec(select(func.now())).one()


def _standing(window: Window, now: datetime) -> Standing:
    try:
        return standing(window, now)
    except ValueError:
        return Standing(False, None)  # like the scheduler for an unknown zone


def _summary(window: Window, now: datetime) -> WindowSummary:
    current = _standing(window, now)
    overridden: Any = window.override is not None and window.override_until is not None and window.override_until > now
    kind: Any = window.kind
    on_close: Any = window.on_close
    state: Any = window.override
    return {
        "name": window.name,
        "cron": window.cron,
        "duration": iso(window.duration_ms),
        "timezone": window.timezone,
        "kind": kind,
        "onClose": on_close,
        "open": current.open,
        "until": timestamp(current.until),
        "override": {
            "state": state,
            "until": timestamp(window.override_until),
            "by": window.override_by,
            "reason": window.override_reason,
        } if overridden else None,
    }  # fmt: skip


def _change(change: WindowChange) -> WindowChangeBody:
    kind: Any = change.change
    return {"at": timestamp(change.at), "by": change.by, "change": kind, "data": change.data}
