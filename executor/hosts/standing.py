"""Standing hosts of a pool, and the decisions about them: the host that a tenant gets, and when one is started or ended.

A host belongs to the tenant of its first activation. A tenant gets a host of its own, else an unused one. Threads that find
neither wait in line; a later thread overtakes them only for a host of its own tenant.
"""

from collections import deque

from executor.hosts.host import Host


class Place:
    """A thread's place in the line for an unused host."""


class Standing:
    """Decides in memory only; the pool holds its lock around every call."""

    def __init__(self, slots: int, idle: int) -> None:
        self._wanted, self._most = slots + 1, slots + 1 + idle
        self.all: set[Host] = set()
        self._idle: list[Host] = []
        """Hosts that a tenant has used, the one that was given back first in front."""
        self._unused: deque[Host] = deque()
        self._line: list[Place] = []

    @property
    def has_unused(self) -> bool:
        """Return whether a host is ready that no tenant has used."""
        return bool(self._unused)

    def add(self, host: Host) -> None:
        """Add a host that was started."""
        self.all.add(host)
        self._unused.append(host)

    def give_back(self, host: Host) -> None:
        """Take back a host whose activation has ended."""
        self._idle.append(host)

    def remove(self, host: Host) -> bool:
        """Remove a host that was ended; return whether it was still known."""
        known = host in self.all
        self.all.discard(host)
        return known

    def enter_line(self) -> Place:
        """Wait in line for an unused host."""
        place = Place()
        self._line.append(place)
        return place

    def leave_line(self, place: Place) -> None:
        """Leave the line, with or without a host."""
        self._line.remove(place)

    def take(self, tenant: str, place: Place | None = None) -> Host | None:
        """Return a host for this tenant, bound to it from now on; None if no host is ready."""
        own = next((host for host in self._idle if host.tenant == tenant), None)
        if own is None or (self._may_grow(tenant) and not own.has_settled()):
            fresh = self._fresh(place)
            if fresh is not None:
                fresh.tenant = tenant
                return fresh
        if own is not None:
            self._idle.remove(own)
        return own

    def wants_one(self) -> bool:
        """Return whether a host should be started, in place of an idle one if the pool is full.

        Threads that execute or wait in line are never more than the slots, so beside the spare host there is one to end.
        """
        if len(self.all) < self._wanted:
            return True
        return len(self._unused) <= len(self._line) and (not self._is_full() or bool(self._idle))

    def make_room(self) -> Host | None:
        """Return the host that was idle for longest, to be ended for another tenant; None while the pool is not full."""
        return self._idle.pop(0) if self._is_full() and self._idle else None

    def _is_full(self) -> bool:
        return len(self.all) >= self._most

    def _may_grow(self, tenant: str) -> bool:
        """Return whether a tenant may get one host more than slots, so that it never waits for one that still tidies up."""
        return not self._is_full() and sum(host.tenant == tenant for host in self.all) < self._wanted

    def _fresh(self, place: Place | None) -> Host | None:
        ahead = len(self._line) if place is None else self._line.index(place)
        return self._unused.popleft() if len(self._unused) > ahead else None
