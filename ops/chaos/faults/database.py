"""Faults of PostgreSQL and of the way to it."""

from __future__ import annotations

import contextlib
import signal
from typing import Any, ClassVar

import psycopg

from ops.chaos.book import Incident
from ops.chaos.faults.fault import Fault, Lane, World
from ops.chaos.proxy import Mode

ALL = "all"


class RestartDatabase(Fault):
    """A fast shutdown: connections are ended, data is written."""

    name, weight = "restart_database", 1
    costs = "Time: everybody waits; nothing is counted as crash or loss."
    lasts: ClassVar[tuple[float, float]] = (0, 3)
    number: ClassVar[signal.Signals] = signal.SIGINT

    def strike(self, world: World) -> Incident | None:
        server = world.cluster.stack.servers.postgres
        assert server is not None
        if server.child is None or not server.child.running or not world.seen_in_flight(lambda _: True):
            return None
        incident = world.book.strike(Incident(self.name, "postgres"))
        server.child.send(self.number)
        if not server.child.wait(20):
            server.child.kill()
        return incident

    def heal(self, world: World, incident: Incident) -> None:
        server = world.cluster.stack.servers.postgres
        assert server is not None
        server.start(60)


class CrashDatabase(RestartDatabase):
    """An immediate shutdown: the next start recovers from the log, as after a crash."""

    name, number = "crash_database", signal.SIGQUIT
    costs = "As above; what was committed is there."


class CutDatabase(Fault):
    name, weight = "cut_database", 1.5
    costs = "Little: connections are opened again; what was not acknowledged is settled by the run row."

    def strike(self, world: World) -> Incident | None:
        workers = world.cluster.running("worker")
        if not workers:
            return None
        target = world.dice.choice([ALL, ALL, *sorted(workers)])
        incident = world.book.strike(Incident(self.name, target))
        world.cluster.links.cut_database(world.cluster.links.names() if target == ALL else [target])
        return incident


class ExhaustDatabase(Fault):
    """Takes all connections, then cuts everybody's, so that they are missed."""

    name, weight = "exhaust_database", 0.7
    lasts: ClassVar[tuple[float, float]] = (2, 4)
    costs = "Time: everybody waits for a connection, and says so once."

    def __init__(self) -> None:
        self._held: list[psycopg.Connection[Any]] = []

    def strike(self, world: World) -> Incident | None:
        incident = world.book.strike(Incident(self.name, ALL))
        world.cluster.links.cut_database(world.cluster.links.names())
        with contextlib.suppress(psycopg.OperationalError):
            while len(self._held) < 500:
                self._held.append(psycopg.connect(world.cluster.stack.database_url, connect_timeout=5))
        incident.note = f"{len(self._held)} connections"
        return incident

    def heal(self, world: World, incident: Incident) -> None:
        for connection in self._held:
            connection.close()
        self._held.clear()


class StallDatabase(Fault):
    name, weight = "stall_database", 1
    lane: ClassVar[Lane] = "slow"
    leases: ClassVar[tuple[float, float]] = (0.15, 0.5)
    costs = "Time: everybody waits; nothing is counted, nothing runs twice."

    def strike(self, world: World) -> Incident | None:
        names = world.cluster.links.names()
        incident = world.book.strike(Incident(self.name, ALL))
        world.cluster.links.switch_database(names, Mode.STALL)
        return incident

    def heal(self, world: World, incident: Incident) -> None:
        world.cluster.links.switch_database(world.cluster.links.names(), Mode.PASS)


class HoleDatabase(Fault):
    """One worker is cut off from PostgreSQL for longer than its lease, and nobody is told."""

    name, weight = "hole_database", 1
    lane: ClassVar[Lane] = "slow"
    leases: ClassVar[tuple[float, float]] = (1.1, 2)
    costs = "It kills its hosts before its lease ends; its runs go on elsewhere; one loss is counted for each."

    def strike(self, world: World) -> Incident | None:
        spare = world.cluster.spare("worker")
        world.dice.shuffle(spare)
        for name in spare:
            if world.cluster.take(name):
                seen = [one for one in world.eyes.in_flight() if world.cluster.worker_of(one.worker) == name]
                runs = {one.run: one.activations for one in seen}
                incident = world.book.strike(Incident(self.name, name, runs=runs))
                world.cluster.links.switch_database([name], Mode.HOLE)
                return incident
        return None

    def heal(self, world: World, incident: Incident) -> None:
        world.cluster.links.switch_database([incident.target], Mode.PASS)
        world.cluster.let_go(incident.target)
