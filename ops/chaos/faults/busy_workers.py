"""Choice of workers that may be hit while they execute a step."""

from __future__ import annotations

from collections.abc import Iterator

from ops.chaos.faults.fault import World


def busy_workers(world: World) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield workers that may be hit, reserved for the caller, with their steps in flight."""
    spare = set(world.cluster.spare("worker"))
    seen = world.seen_in_flight(lambda one: world.cluster.worker_of(one.worker) in spare) if spare else []
    names = sorted({world.cluster.worker_of(one.worker) for one in seen})
    world.dice.shuffle(names)
    for name in names:
        if world.cluster.take(name):
            mine = [one for one in seen if world.cluster.worker_of(one.worker) == name]
            yield name, {one.run: one.activations for one in mine}
