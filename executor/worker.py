"""The worker process around Celery's pool: identity, lease, recorder, hosts and current activations.

Celery provides slots and tickets; this class provides the right to use them. Start: connections, one host (whose `hello` names
the agents), the row, the lease. A worker that was declared dead is never revived: it kills its hosts and registers again.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import inf
from typing import TypeVar
from uuid import UUID

import psycopg

from executor.activation.grant_requests import Authorizations
from executor.activation.pipeline import Reservation, Ticket, advance, forward_requests
from executor.activation.supervision import Supervision
from executor.hosts import HostPool
from executor.hosts.host import ServedAgent
from executor.lease import LeaseKeeper
from executor.recorder.recorder import Recorder
from executor.start_conditions import wait_for_older, wait_for_schema
from models import moves
from models.errors import DatabaseAway
from models.fleet import workers
from models.fleet.workers import LeasedRun
from models.ids import WorkerId, liveness_key, new_id
from models.lifecycle import Reason, Verb
from models.names import RULE, is_name
from models.runtime import gc_tuning
from models.runtime.bus import PROMOTE, Bus, worker_channel
from models.runtime.database import Connection, connect
from models.runtime.facts import fact
from models.runtime.listener import Listener
from models.runtime.probe import Probe
from models.runtime.settings import Settings
from models.statement import Statement

T = TypeVar("T")

CONSUMING_SECONDS = 10.0  # as in the scheduler: an older tick offers no slots


class Worker:
    """One worker process, serving one queue with a number of slots."""

    def __init__(self, settings: Settings, name: str, queue: str, slots: int) -> None:
        self.settings, self.name, self.queue, self.slots = settings, name, queue, slots
        self.worker_id = WorkerId(new_id())
        self.bus = Bus(settings.redis_url, settings.redis_prefix)
        self.recorder = Recorder(self.bus)
        self.pool = HostPool(settings, slots)
        self.authorizations = Authorizations(settings.secret_key, self.read)
        self.active: dict[tuple[UUID, int], Supervision | Reservation] = {}
        self._agents: tuple[ServedAgent, ...] = ()
        self._keeper = LeaseKeeper(self, settings.lease_seconds)
        self._listener = Listener(
            settings.redis_url, lambda: (worker_channel(self.worker_id),), lambda _: self._keeper.wake()
        )
        self._outcomes = ThreadPoolExecutor(1, thread_name_prefix="outcomes")
        self._unheld: set[tuple[UUID, int]] = set()
        self._consumed_at: float | None = None
        self._drain_until: float | None = None
        self._renewed_at = time.monotonic()
        self._probe = Probe(settings, self._alive, self._ready)
        self._read_lock = threading.Lock()
        self._reader: Connection | None = None

    # ----------------------------------------------------------------------------------------------------------- life cycle
    def start(self) -> None:
        """Get ready to take tickets; raise DatabaseAway or CannotServe."""
        self.bus.start()
        self.recorder.start()
        self._agents = self.pool.start()
        wait_for_older(self.queue, self.read)  # in a database without tables it ends the worker, with a sentence
        wait_for_schema(self.read)
        self._register()
        self._keeper.start()
        self._listener.start()
        self._probe.start()
        gc_tuning.settle()
        fact("worker.started", worker=self.worker_id, queue=self.queue, slots=self.slots, agents=",".join(self.served))

    def drain(self, seconds: float) -> None:
        """Take no new tickets. Running steps may finish for `seconds` at most; then their runs are handed back."""
        until = time.monotonic() + seconds
        if self._drain_until is None or until < self._drain_until:
            self._drain_until = until
            self._keeper.wake()

    def stop(self) -> None:
        """Stop everything and leave; all runs have been handed back by now."""
        self._probe.stop()
        self._listener.stop()
        self._keeper.stop()
        self.pool.stop()
        self.authorizations.stop()
        self._outcomes.shutdown(wait=False, cancel_futures=True)
        self.recorder.stop(5)
        try:
            self.read(workers.leave(self.worker_id))
        except (DatabaseAway, psycopg.Error):
            fact("worker.left_silently", level="warning", worker=self.worker_id)
        self.bus.wake_up(PROMOTE, self.queue)
        self.bus.stop()
        fact("worker.stopped", worker=self.worker_id)

    def execute(self, run: UUID, epoch: int) -> str:
        """Execute the run of a ticket in the calling thread; return the outcome's Flower label."""
        return advance(self, Ticket(run, epoch))

    def tick(self) -> None:
        """Record that the consumer's hub turns; called by the hub."""
        first, self._consumed_at = self._consumed_at is None, time.monotonic()
        if first:
            self._keeper.wake()  # the slots are offered from now on

    # ------------------------------------------------------------------------------------------------ services of activations
    @property
    def draining(self) -> bool:
        return self._drain_until is not None

    @property
    def served(self) -> list[str]:
        return [agent.name for agent in self._agents]

    @property
    def versions(self) -> str:
        return json.dumps({agent.name: agent.version for agent in self._agents})

    def must_leave(self, steps_in_flight: int) -> bool:
        """Return whether a draining worker hands an activation back now: at a step's edge, or when its time is over."""
        return self._drain_until is not None and (not steps_in_flight or time.monotonic() > self._drain_until)

    def may_execute(self, identity: UUID) -> bool:
        """Return whether a claim under this identity may be executed: the identity is current, and its lease holds."""
        return identity == self.worker_id and self._keeper.holds()

    def read(self, statement: Statement[T]) -> list[T]:
        """Read on the worker's one reading connection, reopened after a loss."""
        with self._read_lock:
            for attempt in (1, 2):
                try:
                    if self._reader is None or self._reader.closed:
                        self._reader = self._connect_with_retry("reader")
                    return statement.all(self._reader)
                except psycopg.OperationalError:
                    if attempt == 2:
                        raise
        raise AssertionError("unreachable")

    def soon(self, job: Callable[[], None]) -> None:
        """Do a small job in the outcomes thread: neither the lease nor a slot waits for its reads."""
        with suppress(RuntimeError):  # the worker is stopping
            self._outcomes.submit(_tolerating_outage, job)

    # ------------------------------------------------------------------------------------------------ calls of the lease keeper
    def consuming_ago(self) -> float | None:
        return None if self._consumed_at is None else time.monotonic() - self._consumed_at

    def renewed(self, rows: list[LeasedRun]) -> None:
        """The lease holds: inform the hosts, forward requests, hand back leased runs that no slot of this worker executes."""
        self._renewed_at = time.monotonic()
        for host in self.pool.hosts():
            host.send_validity()
        if rows[0].draining and not self.draining:
            fact("worker.drains", worker=self.worker_id)
            self.drain(inf)  # requested through the API: steps may take any time
        forward_requests(self, rows, self.settings.cancel_grace_seconds)
        leased = {(row.run_id, row.epoch) for row in rows if row.run_id is not None and row.epoch is not None}
        held = leased - self.active.keys()
        for run, epoch in held & self._unheld:
            statement = moves.release(run, epoch, self.worker_id, verb=Verb.HAND_BACK, reason=Reason.HOST_LOST)
            self.recorder.put(run, statement, lambda _: self.bus.wake_up(PROMOTE, self.queue))
        self._unheld = held

    def lease_in_doubt(self) -> None:
        """The lease may have expired: no agent code of this worker may continue."""
        self._kill_busy("lease")

    def declared_dead(self) -> None:
        """The scheduler handed the runs to other workers: end all activations and register as a new worker."""
        fact("worker.declared_dead", level="error", worker=self.worker_id)
        self._kill_busy("fenced")
        self.worker_id = WorkerId(new_id())
        self._register()

    # --------------------------------------------------------------------------------------------------------------- probes
    def _alive(self) -> dict[str, bool]:
        """A worker that has not renewed for ten leases is useless: the prober may restart it."""
        return {"renewing": time.monotonic() - self._renewed_at < 10 * self.settings.lease_seconds}

    def _ready(self) -> dict[str, bool]:
        leased = time.monotonic() - self._renewed_at < self.settings.lease_seconds
        return {"leased": leased, "consuming": self._consuming(), "taking": not self.draining}

    def _consuming(self) -> bool:
        ago = self.consuming_ago()
        return ago is not None and ago < CONSUMING_SECONDS

    # ---------------------------------------------------------------------------------------------------------------- parts
    def _kill_busy(self, why: str) -> None:
        for host in self.pool.hosts():
            if host.busy_with:
                host.kill(why)

    def _register(self) -> None:
        with self._connect_with_retry("register") as connection, connection.transaction():
            workers.register(
                self.worker_id,
                name=self.name,
                host=socket.gethostname(),
                pid=os.getpid(),
                queue=self.queue,
                slots=self.slots,
                liveness_key=liveness_key(self.worker_id),
                lease_s=self.settings.lease_seconds,
            ).one(connection)
            for agent in sorted(
                self._agents, key=lambda agent: agent.name
            ):  # in one order, so that workers never deadlock
                _register_agent(agent).one(connection)
            workers.serve(self.worker_id, self.served).one(connection)

    def _connect_with_retry(self, name: str) -> Connection:
        wait = 0.1
        while True:
            try:
                return connect(name)
            except DatabaseAway:
                if self._keeper is None or not self.active:
                    raise
                time.sleep(wait)
                wait = min(2 * wait, 2.0)


def _tolerating_outage(job: Callable[[], None]) -> None:
    try:
        job()
    except (DatabaseAway, psycopg.Error) as error:  # the next renewal triggers the job again
        fact("outcomes.not_read", level="warning", error=type(error).__name__)


def _register_agent(agent: ServedAgent) -> Statement[str]:
    return workers.know_agent(
        agent.name,
        queue=agent.queue,
        version=agent.version,
        description=agent.description,
        schema=json.dumps(agent.schema),
        timeout_ms=agent.timeout_ms,
    )


def only_queue(queues: Sequence[str]) -> str:
    """Return the one queue that the worker serves; raise ValueError with the fix if there are more."""
    if len(queues) != 1:
        raise ValueError(
            f"A worker serves one queue, not {len(queues)} ({', '.join(queues)}): start one worker for each, with -Q."
        )
    if not is_name(queues[0]):
        raise ValueError(f"A queue's name {RULE}: start the worker with another -Q.")
    return queues[0]
