"""Pool of one worker's agent hosts: started by one thread, reused for one tenant only, replaced when worn.

There is one host more than slots, and always an unused one, so that a new tenant rarely waits. `TAXIWAY_IDLE_HOSTS` more are
kept before the host that was idle for longest is ended for another tenant.
The thread lives as long as the worker, because the kernel's parent-death signal fires when the thread that spawned a
child ends.
"""

import os
import threading
import time

from prometheus_client import Counter

from executor.errors import CannotServe, HostGone
from executor.hosts.environment import host_environment
from executor.hosts.host import Host, ServedAgent
from executor.hosts.output import OutputDrain
from executor.hosts.rooms import Rooms
from executor.hosts.spawning import spawn
from executor.hosts.standing import Standing
from executor.hosts.strays import Strays
from executor.hosts.wear import is_worn
from models.runtime.facts import fact
from models.runtime.settings import Settings

IDLE_SECONDS = 1.0
RETRY_SECONDS = 2.0
REPLACED = Counter(
    "taxiway_hosts_replaced_for_another_tenant", "Idle agent hosts that were ended because another tenant needed one."
)
STOP_SECONDS = 5.0
FAULT_SECONDS = 10.0  # a run that is handed back immediately returns immediately, while no host can be started


class HostPool:
    """Hands out warm hosts and takes them back; any thread may do either."""

    def __init__(self, settings: Settings, slots: int) -> None:
        self._settings = settings
        self._environment = host_environment(os.environ, settings)
        self._drain = OutputDrain()
        self._rooms = Rooms(settings.host_user)
        self._slots = slots
        self._standing = Standing(slots, 0)
        self._strays: Strays | None = None
        lock = threading.RLock()
        self._changed = threading.Condition(lock)  # a host is ready, or none ever will be
        self._wanting = threading.Condition(lock)  # the spawner has something to do
        self._untidy: set[str] = set()
        self._stopping = False
        self._fault: CannotServe | None = None
        self._logged_confinement = False
        self._agents: tuple[ServedAgent, ...] = ()
        self._thread = threading.Thread(target=self._run, name="spawner", daemon=True)

    def adopt_strays(self) -> None:
        """Also end processes that hosts leave behind; only for a process that has no children but its hosts."""
        self._strays = Strays()

    def start(self) -> tuple[ServedAgent, ...]:
        """Start the first host and return the agents that it declares; raise CannotServe with the host's own reason."""
        needed = self._slots + 1
        room_for = self._rooms.start(needed, needed + self._settings.idle_hosts)
        self._standing = Standing(self._slots, room_for - needed)
        self._drain.start()
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._standing.has_unused or self._fault)
            if self._fault and not self._standing.has_unused:
                raise self._fault
            return self._agents

    def take(self, tenant: str) -> Host:
        """Return a host that is ready for an activation of this tenant, waiting for one if needed; raise CannotServe.

        If no host can be started it still waits for `FAULT_SECONDS`: the agents may be under repair.
        """
        while True:
            with self._changed:
                host = self._standing.take(tenant) or self._await(tenant)
                if self._standing.wants_one():
                    self._wanting.notify()
            if _is_ready(host):
                return host
            self.discard(host)

    def _await(self, tenant: str) -> Host:
        """Wait in line for a host; the caller holds the lock."""
        place, found = self._standing.enter_line(), None

        def is_served() -> bool:
            nonlocal found
            found = None if self._stopping else self._standing.take(tenant, place)
            return bool(found or self._stopping)

        try:
            self._wanting.notify()
            self._changed.wait_for(lambda: is_served() or self._fault)
            if found is None:
                self._changed.wait_for(is_served, FAULT_SECONDS)
        finally:
            self._standing.leave_line(place)
            self._changed.notify_all()  # threads behind this one have moved up
        if found is None:
            raise self._fault or CannotServe("the worker is stopping")
        return found

    def give_back(self, host: Host) -> None:
        """Take a host back after an activation; it is ready again once it sends `idle`."""
        host.on_output = None
        host.busy_with = None
        if host.left_by is not None:
            self._log_untidy_once(host.left_by)
        if host.killed or host.retired or is_worn(host, self._settings):
            self.discard(host)
            return
        with self._changed:
            self._standing.give_back(host)
            self._changed.notify_all()

    def discard(self, host: Host) -> None:
        """End a host that cannot be used again; another is started in its place."""
        host.reap()
        with self._changed:
            if self._standing.remove(host):
                self._rooms.leave(host.room)
            self._wanting.notify()

    def _log_untidy_once(self, agent: str) -> None:
        """Log once that an agent leaves something behind; each run's own log says what."""
        with self._changed:
            new = agent not in self._untidy
            self._untidy.add(agent)
        if new:
            why = "its runs leave threads, processes or other changes behind; each needs a fresh host"
            fact("host.replaced", level="warning", agent=agent, why=why)

    def hosts(self) -> list[Host]:
        """Return all living hosts."""
        with self._changed:
            return list(self._standing.all)

    def stop(self) -> None:
        """End all hosts."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            self._wanting.notify()
        for host in self.hosts():
            self.discard(host)
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        self._rooms.stop()

    def _run(self) -> None:
        while True:
            with self._wanting:
                self._wanting.wait_for(lambda: self._standing.wants_one() or self._rooms.are_untidy or self._stopping)
                if self._stopping:
                    return
                wants_one = self._standing.wants_one()
                idle = self._standing.make_room() if wants_one else None
            if idle is not None:
                REPLACED.inc()
                fact("host.replaced", level="debug", why="another tenant needs a host")
                self.discard(idle)
            self._tidy()
            if wants_one:
                self._start_one()

    def _tidy(self) -> None:
        if self._strays is not None:
            self._strays.end({host.process.pid for host in self.hosts()})
        self._rooms.tidy()

    def _start_one(self) -> None:
        try:
            host = self._spawn()
        except CannotServe as error:
            with self._changed:
                if self._fault is None:
                    fact("host.cannot_start", level="error", why=error)
                self._fault = error
                self._changed.notify_all()
                self._wanting.wait_for(lambda: self._stopping, RETRY_SECONDS)
            return
        self._log_confinement_once(host)
        with self._changed:
            self._fault = None
            self._agents = host.agents
            self._standing.add(host)
            self._changed.notify_all()
            late = self._stopping
        if late:
            self.discard(host)

    def _spawn(self) -> Host:
        room = self._rooms.take()
        try:
            return spawn(self._settings, self._environment, self._drain, room)
        except CannotServe:
            self._rooms.leave(room)
            raise

    def _log_confinement_once(self, host: Host) -> None:
        """Log once what the kernel keeps hosts from; a warning if it keeps them from nothing although that was wanted."""
        if self._logged_confinement or not self._settings.host_confined:
            return
        self._logged_confinement = True
        if host.confined is None:
            why = "there is no Landlock (it takes Linux 5.19): hosts can signal and trace processes of their account"
            fact("host.unconfined", level="warning", why=why)
        else:
            fact("host.confined", keeps_from=host.confined)


def _is_ready(host: Host) -> bool:
    """Read the frames of an earlier activation up to its `idle`; return whether the host is usable."""
    if host.killed or host.exited():
        return False
    if not host.activations:
        return True
    deadline = time.monotonic() + IDLE_SECONDS
    try:
        while (left := deadline - time.monotonic()) > 0:
            frame = host.receive(left)
            if frame is not None and frame["frame"] == "idle":
                return True
    except HostGone:
        pass
    return False
