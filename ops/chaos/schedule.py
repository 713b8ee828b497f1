"""Schedule of faults, by a seed: kinds, durations and pauses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from ops.chaos.faults.fault import Fault, Lane


@dataclass(frozen=True)
class Round:
    """One fault: struck, held, healed, followed by a pause. `dice` choose its victim."""

    fault: type[Fault]
    hold: float
    pause: float
    dice: str


def rounds(seed: int, lane: Lane, faults: Sequence[type[Fault]], lease: float, pause: float) -> Iterator[Round]:
    """Yield the endless rounds of a lane; the same for the same seed.

    Each fault of the lane comes once before any comes by chance, so that a short exercise has all of them.
    """
    mine = [fault for fault in faults if fault.lane == lane]
    rng = Random(f"{seed}/faults/{lane}")
    first = rng.sample(mine, len(mine))
    number = 0
    while mine:
        drawn = rng.choices(mine, [fault.weight for fault in mine])[0]
        fault = first[number] if number < len(first) else drawn
        hold = fault().hold(rng, lease)
        yield Round(fault, hold, rng.uniform(0.2, 2 * pause), f"{seed}/{lane}/{number}")
        number += 1
