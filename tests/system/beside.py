"""Facts for tests of async agents: the times of awaits and questions, and the holder of the slot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.system.live import Live, effects_in


def question(live: Live, run: str) -> dict[str, Any]:
    """Wait until the run has an open question in the inbox, and return its row."""
    live.until(lambda: _open(live, run), "people are asked", 30, lambda: live.run(run))
    return _open(live, run)[0]


def _open(live: Live, run: str) -> list[dict[str, Any]]:
    inbox = {one["waitId"] for one in live.http.get("/v1/approvals?status=open&limit=100").json()["approvals"]}
    return [wait for wait in waits(live, run) if wait["id"] in inbox]


def waits(live: Live, run: str) -> list[dict[str, Any]]:
    """Return the run's waits, oldest first."""
    with live.connect() as connection:
        return connection.execute(
            "SELECT id::text, key, kind, outcome, extract(epoch FROM opened_at)::float AS opened,"
            " extract(epoch FROM resolved_at)::float AS resolved, extract(epoch FROM due_at)::float AS due"
            " FROM wait WHERE run_id = %s ORDER BY opened_at, id",
            [run],
        ).fetchall()


def run_state(live: Live, run: str) -> dict[str, Any]:
    """Return the state of the run."""
    with live.connect() as connection:
        row = connection.execute(
            "SELECT status, pause_kind, activations, crashes, losses, lease_worker IS NOT NULL AS leased FROM run WHERE id = %s",
            [run],
        ).fetchone()
    assert row is not None
    return row


def noted(log: Path, run: str, what: str) -> list[float]:
    """Return the times of this line of the run in the effect log."""
    return [line["at"] for line in effects_in(log).get(run, []) if line["what"] == what]


def decide(live: Live, wait: str, decision: str = "approve") -> None:
    """Decide a question."""
    answer = live.http.post(f"/v1/approvals/{wait}", json={"decision": decision})
    assert answer.status_code == 200, answer.text
