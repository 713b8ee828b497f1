"""A worker that was cut off may claim a run after it was declared dead; its recovery counts no loss."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler.duties.recovery import Recovery
from tests.postgres.factory import World
from tests.postgres.stepping import do


@pytest.mark.parametrize(("claimed_s_later", "losses"), [(-1, 1), (1, 0)])
def test_a_run_counts_as_lost_only_if_it_was_claimed_while_its_worker_was_alive(
    own_world: World, claimed_s_later: int, losses: int
) -> None:
    died = datetime.now(UTC)
    worker = own_world.worker(dead_at=died)
    made = own_world.run("executing", worker=worker, claimed_at=died + timedelta(seconds=claimed_s_later))

    do(Recovery(15), own_world.connection)

    row = own_world.row(made.id)
    assert (row["lease_worker"], row["epoch"], row["losses"]) == (None, made.epoch + 1, losses)
    assert own_world.events(made.id)[-1]["verb"] == ("recover" if losses else "hand_back")
