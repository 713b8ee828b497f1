"""Rows as statements return them, without a database: each has what nobody looks at unless a test says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from models.promotion.claim import Claim
from models.promotion.tickets import Ticket
from models.runs.opening import Opened
from models.runs.recording import FencedRun
from models.runs.successors import WholeRun
from models.stored_event import StoredEvent

RUN, WORKER = UUID(int=1), UUID(int=2)
EPOCH = 3


def claim(**fields: Any) -> Claim:
    """A run that this worker has just taken for the first time."""
    known: dict[str, Any] = {
        "run_id": RUN, "tenant": "acme", "status": "RUNNING", "queue": "q", "agent": "a", "epoch": EPOCH, "lease_worker": WORKER,
        "user_id": None, "activations": 1, "timeout_ms": None, "active_ms": 0, "step_count": 0, "log_bytes": 0, "inbox": 0,
        "approval_strategy": "NONE", "matters_to_others": False, "input": "{}", "metadata": None, "has_steps": False,
        "has_waits": False, "has_turns": False, "now_ms": 0.0, "created_ms": 0.0, "started_ms": 0.0,
    }  # fmt: skip
    return Claim(**{**known, **fields})


def fenced(**fields: Any) -> FencedRun:
    """A run row whose fence still holds."""
    known: dict[str, Any] = {
        "epoch": EPOCH, "lease_worker": WORKER, "recorded_n": 0, "status": "RUNNING", "inbox": 0, "control_request": None,
        "control_by": None, "control_reason": None,
    }  # fmt: skip
    return FencedRun(**{**known, **fields})


def stored_event(**fields: Any) -> StoredEvent:
    """The third event of a run."""
    known: dict[str, Any] = {
        "run_id": RUN, "seq": 3, "tenant": "acme", "at": datetime(2026, 3, 4, 5, 6, 7, 890_123, tzinfo=UTC), "type": "status",
        "verb": "recover", "status": "RUNNING", "status_was": "RUNNING", "reason": None, "data": None,
    }  # fmt: skip
    return StoredEvent(**{**known, **fields})


def ticket(**fields: Any) -> Ticket:
    """A ticket that is published for the first time."""
    known: dict[str, Any] = {"id": RUN, "epoch": EPOCH, "ticket_n": 1, "agent": "refund", "queue": "money"}
    return Ticket(**{**known, **fields})


def opened(**fields: Any) -> Opened:
    """Waits that an executing run has opened."""
    known: dict[str, Any] = {
        "id": RUN, "tenant": "acme", "epoch": EPOCH, "status": "RUNNING", "pause_kind": None, "queue": "q", "opened": [],
        "over": False,
    }  # fmt: skip
    return Opened(**{**known, **fields})


def whole_run(**fields: Any) -> WholeRun:
    """A run that went well, as its successor finds it."""
    known: dict[str, Any] = {
        "id": RUN, "tenant": "acme", "status": "SUCCESS", "agent": "a", "queue": "q", "priority": 0, "timeout_ms": None,
        "user_id": None, "approval_strategy": "NONE", "window_name": "", "concurrency_key": None, "created_by": None,
        "parent_run_id": None, "parent_key": None, "input": "{}", "error": None, "tags": [], "metadata": None,
    }  # fmt: skip
    return WholeRun(**{**known, **fields})
