"""Faults of our own processes: killed, drained, or started with a wrong clock."""

from __future__ import annotations

import contextlib
import os
import signal
from random import Random
from typing import ClassVar

import psutil

from ops.chaos.book import Incident
from ops.chaos.eyes import InFlight
from ops.chaos.faults.busy import busy_workers
from ops.chaos.faults.fault import Fault, Lane, World

SKEWS = (-5 * 3600.0, 7 * 3600.0, 200 * 3600.0)


class KillHost(Fault):
    name, weight = "kill_host", 8
    costs = "The step in flight runs again; one crash is counted."

    def strike(self, world: World) -> Incident | None:
        # A third crash would fail the run, as it should: nobody is hit twice, and turncoats kill themselves.
        fresh = world.seen_in_flight(lambda one: not one.crashes and one.agent != "turncoat")
        world.dice.shuffle(fresh)
        for one in fresh:
            pid = world.effects.follow().host_of(one.run, one.activations)
            if pid is not None and _is_host(pid) and _holds_still(world, one, pid):
                incident = world.book.strike(Incident(self.name, one.worker, runs={one.run: one.activations}))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                return incident
        return None


class KillRestingHost(Fault):
    name, weight = "kill_resting_host", 5
    costs = "The run of an async agent that waited in it executes again, up to its waits; one crash is counted."

    def strike(self, world: World) -> Incident | None:
        resting = world.seen_at_rest(lambda one: not one.crashes)
        world.dice.shuffle(resting)
        for one in resting:
            pid = world.effects.follow().awake_in(one.run, one.activations)
            if pid is None or not _is_host(pid):
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                if one in world.eyes.at_rest():
                    incident = world.book.strike(Incident(self.name, one.worker, runs={one.run: one.activations}))
                    os.kill(pid, signal.SIGKILL)
                    return incident
                os.kill(pid, signal.SIGCONT)
        return None


def _holds_still(world: World, one: InFlight, pid: int) -> bool:
    """Stop the host, and say whether it still executes that very step: hosts are reused, and quick."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    if world.effects.follow().host_of(one.run, one.activations) == pid:
        return True
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    return False


class KillWorker(Fault):
    name, weight = "kill_worker", 4
    costs = "Its runs go on elsewhere from their last recorded step, a few seconds later; one loss is counted for each."

    def strike(self, world: World) -> Incident | None:
        for name, runs in busy_workers(world):
            incident = world.book.strike(Incident(self.name, name, runs=runs))
            world.cluster.child(name).send(signal.SIGKILL)
            world.cluster.start_again(name, world.dice.uniform(0.5, 6))
            return incident
        return None


class KillScheduler(Fault):
    name, weight = "kill_leader", 2
    costs = "Nothing is promoted until the standby leads; nothing is promoted twice."
    leads: ClassVar[bool] = True

    def strike(self, world: World) -> Incident | None:
        leader = world.cluster.leader()
        names = [name for name in world.cluster.spare("scheduler") if (name == leader) is self.leads]
        if not names or not world.seen_in_flight(lambda _: True) or not world.cluster.take(names[0]):
            return None
        incident = world.book.strike(Incident(self.name, names[0]))
        world.cluster.child(names[0]).send(signal.SIGKILL)
        world.cluster.start_again(names[0], world.dice.uniform(0.5, 6))
        return incident


class KillStandby(KillScheduler):
    name, weight, leads = "kill_standby", 1, False
    costs = "Nothing."


class KillApi(Fault):
    name, weight = "kill_api", 1
    costs = "Clients try again, with the same idempotency key, until it is back."

    def strike(self, world: World) -> Incident | None:
        if "api" not in world.cluster.running("api") or not world.cluster.take("api"):
            return None
        incident = world.book.strike(Incident(self.name, "api"))
        world.cluster.child("api").send(signal.SIGKILL)
        world.cluster.start_again("api", world.dice.uniform(0, 2))
        return incident


class DrainWorker(Fault):
    name, weight = "drain_worker", 2.5
    lane: ClassVar[Lane] = "slow"
    costs = "Steps reach their end, then the runs go on elsewhere; nothing is counted."

    def strike(self, world: World) -> Incident | None:
        for name, runs in busy_workers(world):
            incident = world.book.strike(Incident(self.name, name, runs=runs))
            world.cluster.child(name).send(signal.SIGTERM)
            world.cluster.start_another_worker()
            return incident
        return None

    def heal(self, world: World, incident: Incident) -> None:
        child = world.cluster.child(incident.target)
        if not child.wait(world.cluster.size.drain + 15):
            world.book.complain("drain", "", f"{incident.target} had not ended in time after SIGTERM")
            child.kill()
        elif child.exit_code != 0:
            world.book.complain("drain", "", f"{incident.target} ended with {child.exit_code} after SIGTERM")


class SkewClock(Fault):
    name, weight = "skew_clock", 1
    costs = "A worker is killed and comes back with a wall clock that is wrong by hours: as for a killed worker."

    def strike(self, world: World) -> Incident | None:
        for name, runs in busy_workers(world):
            skew = Random(world.dice.random()).choice(SKEWS)
            incident = world.book.strike(Incident(self.name, name, runs=runs, note=f"{skew:+.0f} s"))
            world.cluster.child(name).send(signal.SIGKILL)
            world.cluster.start_again(name, 1, skew)
            return incident
        return None


def _is_host(pid: int) -> bool:
    try:
        return "taxiway.host" in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
