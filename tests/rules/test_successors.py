"""What a restart and a retry inherit from a run, and what they do not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from models.runs.successors import successor

ROW: dict[str, Any] = {
    "agent": "refund", "queue": "slow", "input": "{}", "priority": 3, "timeout_ms": 1000, "user_id": "ann", "metadata": None,
    "tags": ["a"], "approval_strategy": "NONE", "window_name": "night", "created_by": None, "concurrency_key": "A7",
    "on_conflict": "cancel_running", "not_before": datetime(2026, 3, 1, tzinfo=UTC),
    "expires_at": datetime(2026, 3, 2, tzinfo=UTC),
}  # fmt: skip


def test_a_successor_waits_for_a_place_of_the_same_key_and_may_begin_at_any_time() -> None:
    heir = successor(ROW, input='{"n":1}')
    assert (heir.concurrency_key, heir.on_conflict) == ("A7", "queue")
    assert (heir.not_before, heir.expires_in_ms) == (None, None)
    assert (heir.queue, heir.window, heir.input) == ("slow", "night", '{"n":1}')
