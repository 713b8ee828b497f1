"""Any queues, workers, limits and gates, any order of events: no limit is ever exceeded, and no run is forgotten.

`TAXIWAY_SIMULATIONS=3000` plays so many simulations; `TAXIWAY_SIMULATION=17` plays the one of this seed.
"""

from __future__ import annotations

import os

import pytest

from tests.postgres.simulation.plan import draw, play, shorten
from tests.postgres.virtual_time import session, stop_the_clock_of_gates

COUNT = int(os.environ.get("TAXIWAY_SIMULATIONS", "150"))
ONE = os.environ.get("TAXIWAY_SIMULATION")
SEEDS = [int(ONE)] if ONE else range(COUNT)


@pytest.mark.timeout(max(120, COUNT))
def test_limits_hold_and_nobody_is_forgotten_whatever_happens(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_the_clock_of_gates(monkeypatch)
    with session(database_url) as connection:
        for seed in SEEDS:
            broken, _ = play(connection, draw(seed))
            if broken:
                plan, broken, story = shorten(connection, draw(seed), broken)
                told = "\n".join(story)
                pytest.fail(f"{broken}\nseed {seed}, shortened to {len(plan.steps)} steps:\n{told}", pytrace=False)
