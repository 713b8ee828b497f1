"""The one loop of the scheduler: becomes the leader, does its duties when they are due or hinted at, and starts again when
its session is lost.
"""

import time
from collections.abc import Callable

import psycopg

from models.errors import DatabaseAway
from models.runtime.bus import PROMOTE
from models.runtime.database import Connection
from models.runtime.facts import fact
from scheduler.duty import Done, Duty
from scheduler.hints import Hints
from scheduler.leader import open_session, try_to_lead

STANDBY_SECONDS = 0.25  # a frozen leader loses the lock after two seconds; together they are the gap
TICK_SECONDS = 0.5  # the server would end the session after two seconds of silence
RETRY_SECONDS = 1.0
GATHER_SECONDS = 0.002  # least time between two promotions: hints that arrive faster are answered together
STUCK_SECONDS = 30.0


class Loop:
    """Runs until it is stopped. `hint` makes those duties due that wake on the hint's channel.

    Duties are made for each session, so what a duty remembers ends with its session. `announce` publishes their results.
    """

    def __init__(self, duties: Callable[[], list[Duty]], announce: Callable[[Done], None]) -> None:
        self._make_duties, self._announce = duties, announce
        self._hints = Hints()
        self._stopping = False
        self._away = False
        self.leads = False
        self._turned_at = time.monotonic()

    def alive(self) -> dict[str, bool]:
        """Return whether the loop turns: leading, standing by or waiting for its database."""
        return {"turning": time.monotonic() - self._turned_at < STUCK_SECONDS}

    def ready(self) -> dict[str, bool]:
        """Return whether the scheduler could lead; a standby is as ready as the leader."""
        return {**self.alive(), "database": not self._away}

    def hint(self, channel: str = PROMOTE) -> None:
        """Make the duties due that wake on this channel."""
        self._hints.give(channel)

    def stop(self) -> None:
        """End the loop soon; safe in a signal handler."""
        self._stopping = True
        self._hints.interrupt()

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
            self._hints.wait(STANDBY_SECONDS)  # a new leader does every duty: it needs no older hints
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
            rest = max(0.0, min(TICK_SECONDS, min(due.values()) - time.monotonic()))
            hinted = self._hints.wait(rest, not_before=began + GATHER_SECONDS)
            due |= {n: 0.0 for n, duty in enumerate(duties) if duty.wakes_on & hinted}

    def _do(self, duty: Duty, session: Connection) -> float:
        """Do one step of a duty and announce its results; return the seconds until it is due again."""
        wait_s = RETRY_SECONDS
        try:
            for done in duty.step(session):
                self._announce(done)
                wait_s = done.wait_s
        except psycopg.Error:
            if session.closed:
                raise
            fact("scheduler.duty_failed", level="exception", duty=type(duty).__name__)
        except Exception:  # noqa: BLE001  the loop's one broad except: a fault in one duty must not end the others
            fact("scheduler.duty_failed", level="exception", duty=type(duty).__name__)
        else:
            return wait_s
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
