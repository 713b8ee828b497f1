"""A run's stored events, in order, and its log lines."""

from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy import cast as as_type
from sqlmodel import Session, col, select

from api.http.auth import Caller
from api.links.delivery import add_links_and_input
from api.shapes import EventBody, LogLineBody
from models.runs.public_event import public, timestamp
from models.stored_event import StoredEvent
from models.tables.event import Event
from models.tables.log import Log

_COLUMNS = (
    Event.run_id,
    Event.tenant,
    Event.seq,
    Event.at,
    Event.type,
    Event.verb,
    Event.status,
    Event.status_was,
    Event.reason,
)


def public_object(stored: StoredEvent) -> dict[str, Any]:
    """Return the public object of an event whose data is JSON text; without the data if that is unreadable."""
    try:
        return public(stored)
    except (RecursionError, TypeError, ValueError):  # nested too deeply, not an object, not JSON
        return public(replace(stored, data=None))


def events_after(session: Session, caller: Caller, run: UUID, after: int, limit: int | None = None) -> list[EventBody]:
    """Return the events after a `seq` as this caller may see them; all of them without a limit."""
    # As text: an agent's data may be nested more deeply than the driver can decode.
    columns = (*_COLUMNS, as_type(col(Event.data), Text).label("data"))
    wanted: Any = select(*columns)  # type: ignore[call-overload]  # typed for four columns at most
    wanted = wanted.where(col(Event.run_id) == run, col(Event.seq) > after).order_by(col(Event.seq)).limit(limit)
    found = [public_object(StoredEvent(**row._mapping)) for row in session.exec(wanted)]  # noqa: SLF001  its public name
    add_links_and_input(session, [(caller, event) for event in found])
    return cast("list[EventBody]", found)


def log_after(session: Session, run: UUID, after: int, limit: int) -> list[LogLineBody]:
    """Return the log lines after a number."""
    wanted = select(Log).where(Log.run_id == run, col(Log.n) > after).order_by(col(Log.n)).limit(limit)
    return [
        {
            "n": line.n,
            "timestamp": timestamp(line.at),
            "source": cast("Any", line.source),
            "level": line.level,
            "step": line.step,
            "attempt": line.attempt,
            "message": line.message,
        }
        for line in session.exec(wanted)
    ]
