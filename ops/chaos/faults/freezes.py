"""Faults of processes that stand still for a while and then go on as if nothing had happened."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import ClassVar

import psutil

from ops.chaos.book import Incident
from ops.chaos.faults.busy import busy_workers
from ops.chaos.faults.fault import Fault, Lane, World


class FreezeWorker(Fault):
    name, weight = "freeze_worker", 1
    lane: ClassVar[Lane] = "slow"
    leases: ClassVar[tuple[float, float]] = (1.1, 1.6)
    costs = "Its hosts end themselves; its runs go on elsewhere after a lease; one loss is counted for each."
    with_hosts: ClassVar[bool] = False

    def strike(self, world: World) -> Incident | None:
        for name, runs in busy_workers(world):
            incident = world.book.strike(Incident(self.name, name, runs=runs))
            worker = psutil.Process(world.cluster.child(name).pid)
            frozen = [worker, *(worker.children(recursive=True) if self.with_hosts else [])]
            incident.note = " ".join(str(process.pid) for process in frozen)
            _signal(incident, signal.SIGSTOP)
            return incident
        return None

    def heal(self, world: World, incident: Incident) -> None:
        _signal(incident, signal.SIGCONT)
        world.cluster.let_go(incident.target)


class FreezeMachine(FreezeWorker):
    name, with_hosts = "freeze_machine", True
    costs = (
        "As above; once thawed, a step may overlap with its repetition until its host notices. One loss for each run."
    )


class FreezeLeader(Fault):
    name, weight = "freeze_leader", 2
    lane: ClassVar[Lane] = "slow"
    lasts: ClassVar[tuple[float, float]] = (5, 5)
    costs = "It loses the lock within two seconds; the standby leads; once thawed it can promote nothing."

    def strike(self, world: World) -> Incident | None:
        leader = world.cluster.leader()
        if leader not in world.cluster.spare("scheduler") or not world.cluster.take(leader):
            return None
        incident = world.book.strike(Incident(self.name, leader, note=str(world.cluster.child(leader).pid)))
        _signal(incident, signal.SIGSTOP)
        return incident

    def heal(self, world: World, incident: Incident) -> None:
        _signal(incident, signal.SIGCONT)
        world.cluster.let_go(incident.target)


def _signal(incident: Incident, number: signal.Signals) -> None:
    for pid in incident.note.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), number)
