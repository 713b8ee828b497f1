"""What a restart and a retry inherit from a run, and what they do not."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from models.runs.successors import WholeRun, successor

KNOWN: dict[str, Any] = {
    "agent": "refund", "queue": "slow", "input": "{}", "priority": 3, "timeout_ms": 1000, "user_id": "ann", "metadata": None,
    "tags": ["a"], "approval_strategy": "NONE", "window_name": "night", "created_by": None, "concurrency_key": "A7",
    "id": UUID(int=1), "tenant": "acme", "status": "SUCCESS", "parent_run_id": None, "parent_key": None, "error": None,
}  # fmt: skip


def test_a_successor_waits_for_a_place_of_the_same_key_and_may_begin_at_any_time() -> None:
    heir = successor(WholeRun(**KNOWN), input='{"n":1}')
    assert (heir.concurrency_key, heir.on_conflict) == ("A7", "queue")
    assert (heir.not_before, heir.expires_in_ms) == (None, None)
    assert (heir.queue, heir.window, heir.input) == ("slow", "night", '{"n":1}')
