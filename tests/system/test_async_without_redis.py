"""While Redis is away, decisions of people still reach an executing agent: by the next renewal of its lease."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.beside import decide, question, run_state, waits
from tests.system.live import AGENTS, Live

LEASE = 6.0
BUSY = 2.0
"""Seconds that a busy machine may take beside the renewal."""


@pytest.fixture
def live(stack: Any) -> Iterator[Live]:
    env = {"TAXIWAY_LEASE_SECONDS": str(LEASE), "TAXIWAY_PARK_AFTER": "600"}
    with Live(stack(own_servers=True, agents=str(AGENTS / "beside.py"), workers=1, slots=1, env=env)) as live:
        yield live


def test_a_decision_without_redis_reaches_the_agent_within_a_renewal(live: Live, tmp_path: Path) -> None:
    run = live.enqueue("beside_heartbeat", {"log": str(tmp_path / "effects")})
    wait = question(live, run)
    valkey = live.stack.servers.valkey
    assert valkey is not None
    valkey.stop()
    try:
        decide(live, wait["id"])
        live.until(
            lambda: run_state(live, run)["status"] == "SUCCESS", "it ends", LEASE + BUSY, lambda: run_state(live, run)
        )
    finally:
        valkey.start(30)
    with live.connect() as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM finished_at)::float AS ended FROM run WHERE id = %s", [run]
        ).fetchone()
    assert row is not None
    assert row["ended"] - waits(live, run)[0]["resolved"] < LEASE / 3 + BUSY
    assert run_state(live, run)["activations"] == 1
