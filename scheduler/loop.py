"""The one loop of the scheduler: becomes the leader, does its duties when they are due or hinted at, and starts over when
its session is lost.
"""

import threading
import time
from collections.abc import Callable

import psycopg

from models.errors import DatabaseAway
from models.runtime.bus import FREED, PROMOTE
from models.runtime.database import Connection
from models.runtime.facts import fact
from scheduler.duty import Duty
from scheduler.leader import open_session, try_to_lead

STANDBY_SECONDS = 0.25  # a frozen leader loses the lock after two seconds; together they are the gap
TICK_SECONDS = 0.5  # the session would be ended after two seconds of silence
RETRY_SECONDS = 1.0
GATHER_SECONDS = 0.002  # the least time between two promotions: hints that come faster are answered together
STUCK_SECONDS = 30.0


class Loop:
    """Runs until told to stop; `hint` makes the first `hinted` duties due at once, or the last of these alone."""

    def __init__(self, duties: Callable[[], list[Duty]], *, hinted: int = 1) -> None:
        self._make_duties, self._hinted = duties, hinted
        self._wake = threading.Event()
        self._only_freed = True
        self._stopping = False
        self._away = False
        self.leads = False
        self._turned_at = time.monotonic()

    def alive(self) -> dict[str, bool]:
        """Say whether the loop turns, leading, standing by or waiting for its database."""
        return {"turning": time.monotonic() - self._turned_at < STUCK_SECONDS}

    def ready(self) -> dict[str, bool]:
        """Say whether the scheduler could lead; a standby is as ready as the leader."""
        return {**self.alive(), "database": not self._away}

    def hint(self, channel: str = PROMOTE) -> None:
        """Say that something happened after which there may be runs to wake or, where a slot is free, to promote."""
        if channel != FREED:
            self._only_freed = False
        self._wake.set()

    def stop(self) -> None:
        """End the loop soon; safe in a signal handler."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """Lead, or stand by to lead, until stopped."""
        while not self._stopping:
            self._turned_at = time.monotonic()
            try:
                with open_session() as session:
                    self._back()
                    self._hold(session)
            except (psycopg.Error, DatabaseAway) as error:
                self._lost(error)
                if not self._stopping:
                    time.sleep(RETRY_SECONDS)
        self.leads = False

    def _hold(self, session: Connection) -> None:
        while not self._stopping and not try_to_lead(session):
            self._turned_at = time.monotonic()
            self._wake.wait(STANDBY_SECONDS)
            self._wake.clear()
        if self._stopping:
            return
        self.leads = True
        fact("scheduler.leads")
        self._lead(session, self._make_duties())

    def _lead(self, session: Connection, duties: list[Duty]) -> None:
        due = dict.fromkeys(range(len(duties)), 0.0)
        while not self._stopping:
            began = self._turned_at = time.monotonic()
            for n, duty in enumerate(duties):
                if time.monotonic() >= due[n]:
                    due[n] = time.monotonic() + self._do(duty, session)
            if self._wake.wait(max(0.0, min(TICK_SECONDS, min(due.values()) - time.monotonic()))):
                if (early := began + GATHER_SECONDS - time.monotonic()) > 0:
                    time.sleep(early)
                self._wake.clear()
                only_freed, self._only_freed = self._only_freed, True
                due |= dict.fromkeys(range(self._hinted - 1 if only_freed else 0, self._hinted), 0.0)

    def _do(self, duty: Duty, session: Connection) -> float:
        try:
            return duty.step(session)
        except psycopg.Error:
            if session.closed:
                raise
            fact("scheduler.duty_failed", level="exception", duty=type(duty).__name__)
        except Exception:  # noqa: BLE001  the loop's one broad except: a fault in one duty must not end the others
            fact("scheduler.duty_failed", level="exception", duty=type(duty).__name__)
        return RETRY_SECONDS

    def _lost(self, error: Exception) -> None:
        self.leads = False
        if not self._away and not self._stopping:
            self._away = True
            fact("scheduler.database_away", level="warning", why=error)

    def _back(self) -> None:
        if self._away:
            self._away = False
            fact("scheduler.database_back")
