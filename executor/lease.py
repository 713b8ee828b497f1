"""The worker's lease: one row renewed for any number of runs, in a thread that nothing else can block.

The renewal uses the same connection that holds the liveness lock, so renewals end when the lock ends. Between renewals the
keeper listens on that connection: when the server ends it, the keeper takes the lock again immediately, long before its
absence counts as a death.
The monotonic clock is stamped before a renewal is sent. At stamp + lease - margin without a success the worker cannot know
whether it still owns its runs, so its hosts are killed. A thread of its own watches that, because a renewal on a network
that loses every packet does not even fail. Each renewal returns the runs that this worker leases according to the database,
with their requests; a run that the worker does not hold is handed back.
"""

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import psycopg

from models.errors import DatabaseAway
from models.fleet import workers
from models.fleet.workers import LeasedRun
from models.ids import liveness_key
from models.runtime.database import Connection, connect
from models.runtime.facts import fact

MARGIN_SECONDS = 2.0  # at most; a fifth of a short lease
RETRY_SECONDS = 0.5
GAP_SECONDS = 0.01  # between two requested renewals: many decisions a second cost a hundred renewals at most


class LeaseHolder(Protocol):
    """The worker that holds the lease, as the keeper uses it."""

    @property
    def worker_id(self) -> UUID: ...
    def renewed(self, rows: list[LeasedRun]) -> None: ...
    def lease_in_doubt(self) -> None: ...
    def declared_dead(self) -> None: ...
    def consuming_ago(self) -> float | None: ...
    @property
    def draining(self) -> bool: ...


class LeaseKeeper:
    """Renews every third of a lease, and immediately when woken. `step` runs in the lease thread."""

    def __init__(self, holder: LeaseHolder, lease_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._holder = holder
        self._lease_s = lease_s
        self._clock = clock
        self._stamp = clock()
        self._doubted = False
        self._away = False
        self._connection: Connection | None = None
        self._wake_read, self._wake_write = os.pipe()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._watch = threading.Thread(target=self._watch_clock, name="lease-watch", daemon=True)

    def start(self) -> None:
        """Take the liveness lock and renew once; raise DatabaseAway."""
        self._open()
        self.step()
        self._thread.start()
        self._watch.start()

    def holds(self) -> bool:
        """Return whether the lease certainly holds, by the last renewal that succeeded."""
        return self._clock() < self._stamp + self._lease_s - min(MARGIN_SECONDS, self._lease_s / 5)

    def wake(self) -> None:
        """Renew now: a run has a new request."""
        os.write(self._wake_write, b"w")

    def stop(self) -> None:
        """Stop renewing and release the liveness lock."""
        self._stopping = True
        self.wake()
        self._thread.join(5)
        if self._connection:
            self._connection.close()

    def step(self) -> float:
        """Renew once; return the seconds to wait until the next try."""
        sent = self._clock()
        try:
            rows = self._renew()
        except (psycopg.Error, DatabaseAway) as error:
            return self._failed(error)
        self._stamp, self._doubted = sent, False
        if self._away:
            self._away = False
            fact("lease.database_back")
        if rows:
            self._holder.renewed(rows)
            return self._lease_s / 3
        self._holder.declared_dead()
        self._close()  # the next renewal takes the new identity's liveness lock
        return 0.0

    def _run(self) -> None:
        wait = self._lease_s / 3
        while not self._stopping:
            self._sleep(wait)
            if not self._stopping:
                wait = self._step()

    def _sleep(self, seconds: float) -> None:
        """Wait until the time is over, `wake` is called, or the server ends the connection."""
        watched = select.poll()
        watched.register(self._wake_read, select.POLLIN)
        if self._connection is not None and not self._connection.closed:
            watched.register(self._connection.fileno(), select.POLLIN)
        if self._wake_read in dict(watched.poll(seconds * 1000)):
            time.sleep(max(0.0, min(GAP_SECONDS, self._stamp + GAP_SECONDS - self._clock())))
            os.read(self._wake_read, 1024)

    def _step(self) -> float:
        try:
            return self.step()
        except Exception:  # noqa: BLE001  the thread's one broad except: whatever fails here, the lease must be kept
            fact("lease.failed", level="exception")
            return RETRY_SECONDS

    def _renew(self) -> list[LeasedRun]:
        if self._connection is None or self._connection.closed:
            self._open()
        assert self._connection is not None
        return workers.renew(
            self._holder.worker_id,
            lease_s=self._lease_s,
            consuming_ago_s=self._holder.consuming_ago(),
            draining=self._holder.draining,
        ).all(self._connection)

    def _failed(self, error: Exception) -> float:
        if not self._away:
            self._away = True
            fact("lease.database_away", level="warning", error=type(error).__name__)
        self._close()
        return RETRY_SECONDS

    def _watch_clock(self) -> None:
        while not self._stopping:
            left = self._stamp + self._lease_s - min(MARGIN_SECONDS, self._lease_s / 5) - self._clock()
            if left <= 0 and not self._doubted:
                self._doubted = True
                fact("lease.in_doubt", level="error")
                self._holder.lease_in_doubt()
                self._cut_off()
            time.sleep(left if left > 0 else RETRY_SECONDS)

    def _cut_off(self) -> None:
        """End the session of a hanging renewal, so that the next renewal uses a new session."""
        connection = self._connection
        if connection is not None:
            with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as channel:
                channel.shutdown(socket.SHUT_RDWR)

    def _open(self) -> None:
        self._connection = connect("lease", direct=True)
        # A statement that hangs on a cut-off server must not hang this thread past the lease.
        self._connection.execute(f"SET statement_timeout = {int(self._lease_s * 1000 / 3)}")
        # A session that the network cut off must not keep the lock from its successor.
        self._connection.execute(f"SET idle_session_timeout = {int(self._lease_s * 1000)}")
        self._connection.execute("SELECT pg_advisory_lock(%s)", [liveness_key(self._holder.worker_id)])

    def _close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None
