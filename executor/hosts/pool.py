"""Keeps agent hosts ready: as many as there are slots and one spare, started by one thread, reused, replaced when worn.

The thread lives as long as the worker, because the kernel's parent-death signal fires when the thread that spawned a
child ends.
"""

import os
import threading
import time
from collections import deque

from executor.errors import CannotServe, HostGone
from executor.hosts.environment import host_environment
from executor.hosts.host import Host, ServedAgent
from executor.hosts.output import OutputDrain
from executor.hosts.spawning import spawn
from models.facts import fact
from models.settings import Settings

IDLE_SECONDS = 1.0
RETRY_SECONDS = 2.0
FAULT_SECONDS = (
    10.0  # a run that was handed back at once would come back at once, for as long as no host can be started
)


class HostPool:
    """Hands out warm hosts and takes them back."""

    def __init__(self, settings: Settings, slots: int) -> None:
        self._settings = settings
        self._environment = host_environment(os.environ, settings)
        self._wanted = slots + 1
        self._drain = OutputDrain()
        self._warm: deque[Host] = deque()
        self._all: set[Host] = set()
        lock = threading.RLock()
        self._changed = threading.Condition(lock)  # a host is ready, or none ever will be
        self._wanting = threading.Condition(lock)  # the spawner has something to do
        self._untidy: set[str] = set()
        self._stopping = False
        self._fault: CannotServe | None = None
        self._told_confinement = False
        self._agents: tuple[ServedAgent, ...] = ()
        self._thread = threading.Thread(target=self._run, name="spawner", daemon=True)

    def start(self) -> tuple[ServedAgent, ...]:
        """Start the first host and give the agents that it declares; raises CannotServe with the host's own reason."""
        self._drain.start()
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._warm or self._fault)
            if self._fault and not self._warm:
                raise self._fault
            return self._agents

    def take(self) -> Host:
        """Give a host that is ready for an activation, waiting for one to be started if need be; raises CannotServe.

        While none can be started it waits for a while, too: somebody may be repairing the agents.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._warm or self._fault or self._stopping)
                if not self._warm and not self._stopping:
                    self._changed.wait_for(lambda: self._warm or self._stopping, FAULT_SECONDS)
                if not self._warm:
                    raise self._fault or CannotServe("the worker is stopping")
                host = self._warm.popleft()
            if _is_ready(host):
                return host
            self.discard(host)

    def give_back(self, host: Host) -> None:
        """Take a host back after an activation that ended well; it is ready once it says that it is idle."""
        host.on_output = None
        host.busy_with = None
        if host.left_by is not None:
            self._tell_once(host.left_by)
        if host.killed or host.retired or host.activations >= self._settings.host_activations:
            self.discard(host)
            return
        with self._changed:
            self._warm.append(host)
            self._changed.notify()

    def discard(self, host: Host) -> None:
        """End a host that cannot be used again; another is started in its place."""
        host.bury()
        with self._changed:
            self._all.discard(host)
            self._wanting.notify()

    def _tell_once(self, agent: str) -> None:
        """Log the cost of an agent that leaves something behind; what it is stands in the log of each run."""
        with self._changed:
            new = agent not in self._untidy
            self._untidy.add(agent)
        if new:
            why = "its runs leave threads, processes or other changes behind; each needs a fresh host"
            fact("host.replaced", level="warning", agent=agent, why=why)

    def hosts(self) -> list[Host]:
        """List all living hosts."""
        with self._changed:
            return list(self._all)

    def stop(self) -> None:
        """End all hosts."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            self._wanting.notify()
        for host in self.hosts():
            self.discard(host)

    def _run(self) -> None:
        while True:
            with self._wanting:
                self._wanting.wait_for(lambda: len(self._all) < self._wanted or self._stopping)
                if self._stopping:
                    return
            self._start_one()

    def _start_one(self) -> None:
        try:
            host = spawn(self._settings, self._environment, self._drain)
        except CannotServe as error:
            with self._changed:
                if self._fault is None:
                    fact("host.cannot_start", level="error", why=error)
                self._fault = error
                self._changed.notify_all()
            time.sleep(RETRY_SECONDS)
            return
        self._tell_confinement(host)
        with self._changed:
            self._fault = None
            self._agents = host.agents
            self._all.add(host)
            self._warm.append(host)
            self._changed.notify_all()
            late = self._stopping
        if late:
            self.discard(host)

    def _tell_confinement(self, host: Host) -> None:
        """State once what hosts are kept from; a warning when the kernel keeps them from nothing and that was wanted."""
        if self._told_confinement or not self._settings.host_confined:
            return
        self._told_confinement = True
        if host.confined is None:
            why = "there is no Landlock (it takes Linux 5.19): hosts can signal and trace processes of their account"
            fact("host.unconfined", level="warning", why=why)
        else:
            fact("host.confined", keeps_from=host.confined)


def _is_ready(host: Host) -> bool:
    """Read what an earlier activation left behind, up to its `idle`."""
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
