"""Faults of Valkey and of the way to it."""

from __future__ import annotations

from typing import ClassVar

from models.runtime.redis_client import open_redis
from ops.chaos.book import Incident
from ops.chaos.faults.fault import Fault, Lane, World
from ops.chaos.proxy import Mode


class FlushBroker(Fault):
    name, weight = "flush_broker", 1.5
    costs = "Time: lost tickets are published again."

    def strike(self, world: World) -> Incident | None:
        incident = world.book.strike(Incident(self.name, "valkey"))
        with open_redis(world.cluster.stack.redis_url) as client:
            client.flushall()
        return incident


class RestartBroker(Fault):
    name, weight = "restart_broker", 1
    costs = "Time: nothing is promoted until it is back."
    lasts: ClassVar[tuple[float, float]] = (0, 4)

    def strike(self, world: World) -> Incident | None:
        server = world.cluster.stack.servers.valkey
        assert server is not None
        if server.child is None or not server.child.running:
            return None
        incident = world.book.strike(Incident(self.name, "valkey"))
        server.child.kill()
        return incident

    def heal(self, world: World, incident: Incident) -> None:
        server = world.cluster.stack.servers.valkey
        assert server is not None
        server.start(30)


class HoleBroker(Fault):
    """Everybody's connections die without a word; what was open stays dead, new ones work again afterwards."""

    name, weight = "hole_broker", 0.4
    lane: ClassVar[Lane] = "slow"
    leases: ClassVar[tuple[float, float]] = (0.7, 2.5)
    costs = "Time: runs that execute go on, accepted runs wait; afterwards nothing has to be restarted."
    kinds: ClassVar[tuple[str, ...]] = ("api", "scheduler", "worker")

    def strike(self, world: World) -> Incident | None:
        names = self.names(world)
        if not names:
            return None
        incident = world.book.strike(Incident(self.name, " ".join(names)))
        world.cluster.links.switch_broker(names, Mode.HOLE)
        return incident

    def names(self, world: World) -> list[str]:
        return [name for name in world.cluster.links.names() if name.partition("-")[0] in self.kinds]

    def heal(self, world: World, incident: Incident) -> None:
        world.cluster.links.switch_broker(incident.target.split(), Mode.PASS)


class HoleBrokerOfWorkers(HoleBroker):
    name = "hole_broker_of_workers"
    kinds = ("worker",)
    costs = "Time: the workers offer no slots until they hear tickets again."


class HoleBrokerOfOneWorker(HoleBroker):
    name = "hole_broker_of_one_worker"
    costs = "Its slots: it offers none until it hears tickets again."

    def names(self, world: World) -> list[str]:
        workers = world.cluster.running("worker")
        return [world.dice.choice(sorted(workers))] if len(workers) > 1 else []


class HoleBrokerOfScheduler(HoleBroker):
    name = "hole_broker_of_scheduler"
    kinds = ("scheduler",)
    costs = "Time: tickets are not published until the way is open again."
