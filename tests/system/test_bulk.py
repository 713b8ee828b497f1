"""Bulk operations on a whole system: the scheduler does them beside its other work, client and command line follow them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from taxiway import Client

from scheduler.promotion.gates import FRESH_SECONDS
from tests.system.live import AGENTS, Live


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "again.py"), workers=1, slots=4)) as live:
        yield live


@pytest.fixture
def client(live: Live) -> Iterator[Client]:
    with Client(live.stack.url, live.stack.api_key) as client:
        yield client


def _bulk(live: Live, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "taxiway",
        "bulk",
        *arguments,
        "--url",
        live.stack.url,
        "--api-key",
        live.stack.api_key,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)


def _runs(live: Live, tag: str, count: int, mended: str) -> list[str]:
    body = [{"agent": "tidy", "input": {"log": mended + ".log", "mended": mended}, "tags": [tag]} for _ in range(count)]
    answer = live.http.post("/v1/runs/batch", json={"runs": body})
    assert answer.status_code == 201, answer.text
    return [run["runId"] for run in answer.json()["runs"]]


def test_runs_that_failed_are_tried_again_together_and_each_once(live: Live, client: Client, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    runs = _runs(live, "again", 40, str(mended))
    assert {ended["status"] for ended in live.end_all(runs, 60).values()} == {"FAILED"}
    mended.touch()
    assert client.bulk("retry", status="FAILED", tag="again", dry_run=True).matched == 40
    asked = client.bulk("retry", status="FAILED", tag="again")
    assert asked.id
    *_, seen = client.bulk_progress(asked.id)
    assert (seen.matched, seen.done, seen.skipped, seen.failed) == (40, 40, 0, 0)
    again = [run for run in client.runs(tag="again") if run.raw["retryOf"]]
    assert sorted(run.raw["retryOf"] for run in again) == sorted(runs)
    assert {ended["status"] for ended in live.end_all([run.id for run in again], 60).values()} == {"SUCCESS"}


def test_the_command_line_holds_lets_go_and_cancels_and_others_run_meanwhile(live: Live, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    mended.touch()
    assert live.http.put("/v1/agents/tidy", json={"paused": True}).status_code == 200
    time.sleep(2 * FRESH_SECONDS)  # the leader reads the settings at this interval, and nothing shows that it did
    runs = _runs(live, "crowd", 300, str(mended))
    counted = _bulk(live, "pause", "--tag", "crowd", "--dry-run")
    assert (counted.returncode, counted.stdout, counted.stderr) == (0, "300 runs would be paused.\n", "")
    done = _bulk(live, "pause", "--tag", "crowd")
    assert (done.returncode, done.stdout, done.stderr) == (0, "300 paused, 0 skipped.\n", "")
    assert live.http.put("/v1/agents/tidy", json={"paused": False}).status_code == 200
    [other] = _runs(live, "other", 1, str(mended))
    assert live.end(other)["status"] == "SUCCESS", "what is held lets others pass"
    begun = _bulk(live, "cancel", "--tag", "crowd", "--no-wait", "--json")
    [beside] = _runs(live, "other", 1, str(mended))
    assert live.end(beside)["status"] == "SUCCESS"
    shown = json.loads(begun.stdout)
    assert (begun.returncode, shown["matched"]) == (0, 300)
    ended = live.end_all(runs, 60)
    assert {(run["status"], run["reason"], run["activations"]) for run in ended.values()} == {
        ("CANCELED", "by_user", 0)
    }
    live.until(
        lambda: live.http.get(f"/v1/runs/bulk/{shown['bulkId']}").json()["finishedAt"], "the operation has ended", 30
    )
    nothing = _bulk(live, "cancel", "--tag", "crowd")
    assert (nothing.returncode, nothing.stdout) == (0, "0 runs would be canceled.\n")


def test_without_a_criterion_nothing_is_done(live: Live) -> None:
    refused = _bulk(live, "cancel", "--yes")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "names no criterion" in refused.stderr
