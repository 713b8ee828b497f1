"""A deploy that no longer fits the records of a run parks the run; it resumes when the code is fixed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.system.live import AGENTS, Live, effects_in


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "mended.py"), workers=1, slots=1)) as live:
        yield live


@pytest.fixture
def parked(live: Live, tmp_path: Path) -> str:
    """Return a run that is parked because its code was replaced between two activations."""
    files = {name: str(tmp_path / name) for name in ("log", "broken", "door")}
    run = live.enqueue("mended", files)
    live.until(lambda: live.run(run)["stepInFlight"], "the second step is in flight")
    Path(files["broken"]).touch()
    _kill_hosts(live)
    live.until(lambda: live.run(run)["status"] == "PAUSED", "the run is parked", 30, lambda: live.run(run))
    return run


def _kill_hosts(live: Live) -> None:
    for child in psutil.Process(live.stack.workers[0].pid).children():
        if "taxiway.host" in child.cmdline():
            os.kill(child.pid, signal.SIGKILL)


def test_a_run_whose_code_was_replaced_is_parked_holds_nothing_and_goes_on_when_it_is_mended(
    live: Live, parked: str, tmp_path: Path
) -> None:
    shown = live.run(parked)
    assert (shown["executionStatus"], shown["reason"], shown["executing"]) == (
        "paused_by_agent",
        "code_mismatch",
        False,
    )
    assert shown["pause"]["kind"] == "agent"
    assert [wait["kind"] for wait in shown["pause"]["waits"]] == ["code"]
    with live.connect() as connection:
        row = connection.execute("SELECT lease_worker, ticket_at, ready_at FROM run WHERE id = %s", [parked]).fetchone()
    assert row == {"lease_worker": None, "ticket_at": None, "ready_at": None}
    assert live.end(live.enqueue("mended", _open(tmp_path)))["status"] == "SUCCESS", "its slot is free"

    (tmp_path / "broken").unlink()
    (tmp_path / "door").touch()
    answer = live.http.post(f"/v1/runs/{parked}/resume")
    assert (answer.status_code, answer.json()["status"]) == (200, "RUNNING"), answer.text
    ended = live.end(parked)
    assert (ended["status"], ended["result"], ended["crashes"]) == ("SUCCESS", 1, 1)
    begun = [line for line in effects_in(tmp_path / "log")[parked] if line["what"] == "begin"]
    assert len(begun) == 1, "what was recorded before the mismatch was not executed again"


def _open(folder: Path) -> dict[str, str]:
    (folder / "open").touch()
    return {"log": str(folder / "other.log"), "broken": str(folder / "never"), "door": str(folder / "open")}


def test_a_run_on_code_that_is_still_wrong_is_parked_again(live: Live, parked: str) -> None:
    assert live.http.post(f"/v1/runs/{parked}/resume").status_code == 200
    live.until(lambda: live.run(parked)["status"] == "PAUSED", "the run is parked again")
    assert live.cancel(parked).status_code == 200, "and can be canceled at once"


def test_only_a_code_mismatch_can_be_resumed(live: Live, parked: str, tmp_path: Path) -> None:
    assert live.cancel(parked).status_code == 200
    ended = live.http.post(f"/v1/runs/{parked}/resume")
    assert (ended.status_code, ended.json()["code"]) == (409, "run_finished")

    places = {name: str(tmp_path / name) for name in ("log", "broken", "door")}
    queued = live.enqueue("mended", places)
    refused = live.http.post(f"/v1/runs/{queued}/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_move")
    assert live.cancel(queued).status_code in (200, 202)
    assert live.http.post("/v1/runs/01a20000-0000-7000-8000-000000000000/resume").status_code == 404
