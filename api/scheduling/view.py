"""Schedules as the API shows them."""

from typing import Any

from sqlmodel import Session, col, select

from api.http.responses import JsonText
from api.shapes import ScheduleBody, ScheduleSummary
from models.calendar.recurrence import recurrence
from models.runs.public_event import timestamp
from models.tables.firing import Firing
from models.tables.schedule import Schedule

_NEXT_TIMES = 5
_FIRINGS = 20


def summary(schedule: Schedule) -> ScheduleSummary:
    """Return a schedule as lists show it."""
    overlap: Any = schedule.overlap
    catch_up: Any = schedule.catch_up
    return {
        "name": schedule.name,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "overlap": overlap,
        "catchUp": catch_up,
        "paused": schedule.paused,
        "agent": schedule.agent,
        "nextAt": None if schedule.paused else timestamp(schedule.next_at),
        "lastAt": timestamp(schedule.last_at),
        "openRuns": len(schedule.open_runs),
    }


def detail(session: Session, tenant: str, name: str) -> ScheduleBody | None:
    """Return a schedule with its run, next times and newest firings; None if it does not exist."""
    schedule = session.get(Schedule, (tenant, name))
    if schedule is None:
        return None
    newest = select(Firing).where(Firing.tenant == tenant, Firing.schedule == name).order_by(col(Firing.at).desc())
    firings: list[Any] = [
        {
            "at": timestamp(firing.at),
            "outcome": firing.outcome,
            "runId": None if firing.run_id is None else str(firing.run_id),
        }
        for firing in session.exec(newest.limit(_FIRINGS))
    ]
    run: dict[str, Any] = {**schedule.request["given"], "input": JsonText(schedule.request["run"]["input"])}
    return {**summary(schedule), "run": run, "next": _next_times(schedule), "firings": firings}


def _next_times(schedule: Schedule) -> list[str | None]:
    times: list[str | None] = []
    at = None if schedule.paused else schedule.next_at
    try:
        rule = recurrence(schedule.cron, schedule.timezone)
    except ValueError:
        return times  # this machine does not know the time zone
    while at is not None and len(times) < _NEXT_TIMES:
        times.append(timestamp(at))
        at = rule.after(at)
    return times
