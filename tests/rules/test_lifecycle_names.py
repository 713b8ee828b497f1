"""The public names of a move: one stream event each, a webhook type if documented, a listed reason."""

from __future__ import annotations

import re

import pytest

from models import lifecycle

# verb: (event of the stream, webhook type)
HEARD: dict[str, tuple[str, str | None]] = {
    "enqueue": ("status", "run.queued"),
    "start": ("start", "run.started"),
    "continue": ("status", None),
    "recover": ("status", None),
    "hand_back": ("status", None),
    "require_authorization": ("authentication", "run.authorization_required"),
    "await_approval": ("run_approval", "run.approval_required"),
    "pause_by_user": ("status", "run.paused"),
    "pause_by_agent": ("status", "run.paused"),
    "resume": ("status", "run.resumed"),
    "succeed": ("end", "run.succeeded"),
    "fail": ("end", "run.failed"),
    "cancel": ("end", "run.canceled"),
}
STREAM_EVENTS = {"status", "start", "authentication", "run_approval", "end"}
WEBHOOK_TYPES = {
    "run.queued", "run.started", "run.authorization_required", "run.approval_required", "run.paused", "run.resumed",
    "run.succeeded", "run.failed", "run.canceled",
}  # fmt: skip
REASONS = {
    "by_user", "by_parent", "skipped", "superseded", "approval_needed", "answer_needed", "approved", "answered", "denied",
    "authorization_needed", "authorized", "authorization_failed",
    "waiting", "wait_over", "window_closed", "window_opened", "code_mismatch",
    "expired", "timeout", "step_error", "agent_error", "child_failed", "invalid_input", "invalid_output", "output_too_large",
    "history_limit", "once_unknown", "crashed", "host_lost", "worker_lost", "drained",
}  # fmt: skip


@pytest.mark.parametrize("verb", HEARD)
def test_a_verb_is_heard_under_one_event_and_at_most_one_webhook_type(verb: str) -> None:
    move = lifecycle.MOVES[lifecycle.Verb(verb)]

    assert (move.event, move.webhook) == HEARD[verb]


def test_every_documented_name_is_used_and_no_other() -> None:
    assert {str(verb) for verb in lifecycle.MOVES} == set(HEARD)
    assert {move.event for move in lifecycle.MOVES.values()} == STREAM_EVENTS
    assert {move.webhook for move in lifecycle.MOVES.values() if move.webhook} == WEBHOOK_TYPES


def test_only_an_ending_move_is_heard_as_an_end() -> None:
    for move in lifecycle.MOVES.values():
        assert (move.event == "end") == (move.target.status in {"SUCCESS", "FAILED", "CANCELED"})


def test_the_reasons_are_a_closed_list() -> None:
    assert {str(reason) for reason in lifecycle.Reason} == REASONS
    for reason in REASONS:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", reason)
