"""Capacity of each queue, for people and autoscalers: counted in the index of unfinished runs.

One reading serves all calls soon after it, so that frequent calls keep neither the database nor this process busy.
"""

import threading
import time
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, select

from api.http.problems import Problem
from api.http.transactions import reading
from api.shapes import QueueCapacity, WindowNow
from models.calendar.window_state import Standings
from models.runs.public_event import timestamp
from models.tables.window import Window

FRESH_SECONDS = 1.0
REST = 10
"""A reading is valid for `REST` times its own duration, at most for `FRESH_SECONDS`."""
OLDEST_SECONDS = 30.0

# Same condition on workers as in `installation/workers.py`. A worker that has not registered its agents offers no slots yet.
_CAPACITY = text("""
    WITH offered AS MATERIALIZED (
        SELECT queue, count(*) AS workers, sum(slots) FILTER (WHERE agents <> '{}') AS slots FROM worker
        WHERE dead_at IS NULL AND lease_until > now() AND consuming_at > now() - interval '10 s' AND NOT draining
        GROUP BY queue
    ), standing AS MATERIALIZED (
        SELECT queue, count(*) FILTER (WHERE lease_worker IS NOT NULL) AS executing,
            count(*) FILTER (WHERE ticket_at IS NOT NULL) AS tickets,
            count(*) FILTER (WHERE ready_at IS NOT NULL AND ticket_at IS NULL) AS queued,
            count(*) FILTER (WHERE ready_at IS NOT NULL AND ticket_at IS NULL
                AND (blocked_on IS NOT NULL OR control_request IS NOT NULL)) AS blocked,
            count(*) FILTER (WHERE status IN ('PAUSED', 'AUTH_REQUIRED')) AS parked
        FROM run WHERE finished_at IS NULL GROUP BY queue
    )
    SELECT name, coalesce(workers, 0) AS workers, coalesce(slots, 0) AS slots, run_limit, coalesce(executing, 0) AS executing,
        coalesce(tickets, 0) AS tickets, coalesce(queued, 0) AS queued, coalesce(blocked, 0) AS blocked,
        coalesce(parked, 0) AS parked, paused, cordoned, window_name, now() AS now
    FROM queue LEFT JOIN offered ON offered.queue = name LEFT JOIN standing ON standing.queue = name ORDER BY name
    """)
_standings = Standings()


class _Reading:
    """The last reading. One call makes the next one; concurrent calls use the last one without waiting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held by the call that reads; no call waits for it
        self._read_at, self._fresh = float("-inf"), 0.0
        self._queues: list[QueueCapacity] = []

    def get(self) -> list[QueueCapacity]:
        """Return the counts of all queues; raises Problem `unavailable` if the last reading is too old."""
        if self._age() >= self._fresh and self._lock.acquire(blocking=False):
            try:
                began = time.monotonic()
                self._queues, self._read_at = _look(), time.monotonic()
                self._fresh = min(FRESH_SECONDS, REST * (self._read_at - began))
            finally:
                self._lock.release()
        if self._age() > OLDEST_SECONDS:
            raise Problem("unavailable", "The queues are being counted for another call. Try again.")
        return self._queues

    def _age(self) -> float:
        return time.monotonic() - self._read_at


_reading = _Reading()


def queue_capacity() -> list[QueueCapacity]:
    """Return the capacity of each queue, now or a moment ago; raises Problem `unavailable`."""
    return _reading.get()


def _look() -> list[QueueCapacity]:
    with reading() as session:
        rows = session.connection().execute(_CAPACITY).mappings().all()
        windows = _windows(session, {row["window_name"] for row in rows} - {None})
    return [_queue(row, windows.get(row["window_name"])) for row in rows]


def _windows(session: Session, names: set[str]) -> dict[str, Window]:
    return {window.name: window for window in session.exec(select(Window)) if window.name in names} if names else {}


def _queue(row: Any, window: Window | None) -> QueueCapacity:
    return {
        "queue": row["name"],
        "workers": row["workers"],
        "slots": row["slots"],
        "limit": row["run_limit"],
        "inFlight": row["executing"] + row["tickets"],
        "executing": row["executing"],
        "queued": row["queued"],
        "blocked": row["blocked"],
        "parked": row["parked"],
        "paused": row["paused"],
        "cordoned": row["cordoned"],
        "window": row["window_name"],
        "nextWindow": None if window is None else _window_now(window, row["now"]),
    }


def _window_now(window: Window, now: datetime) -> WindowNow:
    try:
        found = _standings.of(window, now)
    except ValueError:
        return {"open": False, "until": None}  # like the scheduler for an unknown zone
    return {"open": found.open, "until": timestamp(found.until)}
