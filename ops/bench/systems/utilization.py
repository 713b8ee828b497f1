"""Share of the time for which slots execute steps; they are idle between the end of a run and the start of the next."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from ops.bench.systems.system import CannotMeasure

PATIENCE = 120.0
LOOK_EVERY = 0.25
_OPEN = "SELECT count(*) FROM run WHERE id = ANY(%s::uuid[]) AND finished_at IS NULL"
_RESULTS = "SELECT result FROM payload WHERE run_id = ANY(%s::uuid[]) AND result IS NOT NULL"


@dataclass(frozen=True)
class Stretch:
    """One step, by the clock of the machine, from its first line to its last."""

    began: float
    ended: float


def share_at_work(stretches: Sequence[Stretch], slots: int) -> float:
    """Return the share over all slots between the first and the last start; later execution does not count."""
    first, last = (choose(stretch.began for stretch in stretches) for choose in (min, max))
    return sum(min(stretch.ended, last) - stretch.began for stretch in stretches) / (slots * (last - first))


def stretches_of(connection: psycopg.Connection[Any], runs: Sequence[str]) -> list[Stretch]:
    """Wait until all runs have ended and return the times of their steps; raise `CannotMeasure`."""
    deadline = time.monotonic() + PATIENCE
    while left := _open(connection, runs):
        if time.monotonic() > deadline:
            raise CannotMeasure(f"{left} runs had not ended after {PATIENCE:.0f} s")
        time.sleep(LOOK_EVERY)
    rows = connection.execute(_RESULTS, [list(runs)]).fetchall()
    return [Stretch(*result) for (result,) in rows]


def _open(connection: psycopg.Connection[Any], runs: Sequence[str]) -> int:
    """Count the unfinished runs; the last run is checked alone first, so that polling is cheap."""
    for asked in (runs[-1:], runs):
        row = connection.execute(_OPEN, [list(asked)]).fetchone()
        if row and row[0]:
            return int(row[0])
    return 0
