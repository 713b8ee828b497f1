"""The one object of an event in streams, on the bus, in `events[]` and in webhooks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from models.runs import public_event
from models.stored_event import StoredEvent
from tests.rows import stored_event

RUN = UUID("0199f000-0000-7000-8000-000000000001")
AT = datetime(2026, 3, 4, 5, 6, 7, 890_123, tzinfo=UTC)


def _row(**fields: object) -> StoredEvent:
    return stored_event(run_id=RUN, at=AT, **fields)


ENVELOPE = {"seq": 3, "runId": str(RUN), "runStatus": "RUNNING", "timestamp": "2026-03-04T05:06:07.890Z"}


def test_a_status_event_says_from_where_to_where_and_by_which_verb() -> None:
    assert public_event.public(_row(reason="host_lost", data={"cause": "host_lost"})) == {
        **ENVELOPE, "event": "status", "from": "RUNNING", "to": "RUNNING", "verb": "recover", "reason": "host_lost",
        "cause": "host_lost",
    }  # fmt: skip


def test_an_end_event_says_the_status_and_what_the_move_told() -> None:
    row = _row(type="end", verb="cancel", status="CANCELED", reason="by_user", data={"stopped": "killed"})
    envelope = {**ENVELOPE, "event": "end", "runStatus": "CANCELED"}

    assert public_event.public(row) == {**envelope, "status": "CANCELED", "reason": "by_user", "stopped": "killed"}


def test_another_event_has_the_envelope_and_its_own_data() -> None:
    step = {"key": "a##1", "name": "a", "status": "succeeded", "attempts": 1}

    assert public_event.public(_row(type="step", verb=None, status_was=None, data={"step": step})) == {
        **ENVELOPE, "event": "step", "step": step,
    }  # fmt: skip


def test_the_tenant_is_not_part_of_it() -> None:
    assert "acme" not in json.dumps(public_event.public(_row()))


def test_data_may_come_as_json_text() -> None:
    assert public_event.public(_row(type="agent", data='{"type": "x", "n": 1}'))["n"] == 1


@pytest.mark.parametrize("name", ["seq", "event", "runId", "runStatus", "timestamp"])
def test_an_agent_cannot_forge_the_envelope(name: str) -> None:
    """A stream resumes by `seq` and a client decides by `event`: data with such a name must not replace them."""
    message = public_event.public(_row(type="agent", verb=None, data={"type": "x", name: "forged"}))
    live = public_event.live(str(RUN), "RUNNING", "agent", {"type": "x", name: "forged"})

    assert message == {**ENVELOPE, "event": "agent", "type": "x"}
    assert "forged" not in live.values()


def test_a_live_message_has_no_seq() -> None:
    message = public_event.live(str(RUN), "RUNNING", "progress", {"done": 1, "total": 2, "step": "a"})

    assert set(message) == {"event", "runId", "runStatus", "timestamp", "done", "total", "step"}
    assert message["event"] == "progress"


def test_moments_are_written_in_utc_with_milliseconds() -> None:
    local = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert public_event.timestamp(local) == "2026-03-04T05:06:07.890Z"
    assert public_event.timestamp(AT.replace(microsecond=0)) == "2026-03-04T05:06:07.000Z"
    assert public_event.timestamp(None) is None
