"""A stack inside a test: parts of it can be killed and started, and it is removed afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops.stack import ChildEnded

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def agents(tmp_path: Path) -> str:
    file = tmp_path / "counting.py"
    file.write_text("from taxiway import agent, Run\n\n\n@agent\ndef count(run: Run) -> int:\n    return 7\n")
    return str(file)


def healthy(running: Any, kind: str) -> bool:
    command = [sys.executable, "-m", "ops.health", kind]
    env = {**os.environ, "TAXIWAY_DATABASE_URL": running.database_url}
    return subprocess.run(command, check=False, cwd=ROOT, env=env, timeout=30).returncode == 0


def test_a_killed_worker_is_missed_and_can_be_replaced(stack: Any, agents: str) -> None:
    running = stack(agents=agents, workers=1, slots=2)
    (worker,) = running.workers
    assert healthy(running, "worker")
    assert healthy(running, "scheduler")
    worker.kill()
    assert not healthy(running, "worker")
    with pytest.raises(ChildEnded, match="worker-1 was killed by signal 9"):
        running.look()
    running.fleet.start_worker(1)
    running.wait_for_slots(2)
    with httpx.Client(base_url=running.url, headers={"x-api-key": running.api_key}, timeout=30) as client:
        run = client.post("/v1/runs", json={"agent": "count"}).json()
        assert client.get(f"/v1/runs/{run['runId']}/wait?timeout=25").json()["result"] == 7


def test_a_new_stack_replaces_the_old_one_and_has_a_database_of_its_own(stack: Any, agents: str) -> None:
    first = stack(agents=agents, workers=1, slots=1)
    children = [*first.workers, *first.schedulers, first.api]
    second = stack(agents=agents, workers=1, slots=1)
    assert not any(child.running for child in children)
    assert second.database_url != first.database_url
    with httpx.Client(base_url=second.url, headers={"x-api-key": second.api_key}, timeout=30) as client:
        assert client.get("/v1/runs").json()["runs"] == []
