"""Every move from every situation: an allowed one changes row, event and seq together; any other changes nothing."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from models import control_requests, moves
from models.promotion import tickets
from models.runs import holding, recording
from tests.postgres.calls import APART, MOVES, RECORDS, TICKETS, functions
from tests.postgres.factory import SITUATIONS, TERMINAL, World


class After(NamedTuple):
    """The state after an allowed move: the row's status, and the one event's type and verb."""

    status: str
    pause_kind: str | None
    event: str
    verb: str


_EXECUTING = ("executing", "closing", "pausing", "canceling", "overdue")
_QUEUED = ("queued", "expired", "held", "blocked", "promoted", "promoted and held")
_PARKED = ("auth required", "paused for approval", "paused by user", "paused by agent")
_IDLE = (*_QUEUED, "ready", "cleared", *_PARKED, "paused for approval, to pause")
_SUCCEEDED = After("SUCCESS", None, "end", "succeed")
_FAILED = After("FAILED", None, "end", "fail")
_CANCELED = After("CANCELED", None, "end", "cancel")
_PARKED_BY_AGENT = After("PAUSED", "agent", "status", "pause_by_agent")
_PAUSED = After("PAUSED", "user", "status", "pause_by_user")


def _released(verb: str) -> dict[str, After]:
    going_on = After("RUNNING", None, "status", verb)
    return {
        "executing": going_on,
        "closing": going_on,
        "pausing": _PAUSED,
        "canceling": _CANCELED,
        "overdue": _CANCELED,
    }


ALLOWED: dict[str, dict[str, After]] = {
    "claim": {
        "promoted": After("RUNNING", None, "start", "start"),
        "cleared": After("RUNNING", None, "status", "continue"),
    },
    "succeed": dict.fromkeys(_EXECUTING, _SUCCEEDED),
    "restart": dict.fromkeys(("executing", "closing"), _SUCCEEDED),
    "fail": dict.fromkeys(_EXECUTING, _FAILED),
    "cancel_executing": dict.fromkeys(_EXECUTING, _CANCELED),
    "release:recover": _released("recover"),
    "release:hand_back": _released("hand_back"),
    "cancel_idle": dict.fromkeys(_IDLE, _CANCELED),
    "cancel_overdue": {"overdue": _CANCELED},
    "fail_idle": dict.fromkeys([name for name in _IDLE if name != "paused by user"], _FAILED),
    "expire": {"expired": _FAILED},
    "park:require_authorization": dict.fromkeys(
        ("executing", "closing"), After("AUTH_REQUIRED", None, "authentication", "require_authorization")
    ),
    "park:await_approval": dict.fromkeys(
        ("executing", "closing"), After("PAUSED", "approval", "run_approval", "await_approval")
    ),
    "park:pause_by_agent": dict.fromkeys(("executing", "closing"), _PARKED_BY_AGENT),
    "park_for_window": {"closing": _PARKED_BY_AGENT},
    "pause_executing": {"pausing": _PAUSED},
    "pause_idle": {"ready": _PAUSED, "cleared": _PAUSED},
    "resume": dict.fromkeys(_PARKED, After("RUNNING", None, "status", "resume")),
}  # fmt: skip
ALLOWED_WITHOUT_A_VERB: dict[str, tuple[str, ...]] = {
    "step": _EXECUTING,
    "event": _EXECUTING,
    "in_flight": _EXECUTING,
    "log": _EXECUTING,
    "abandoned": _EXECUTING,
    "held": _EXECUTING,
    "promote": ("queued", "expired", "ready"),
    "decline": ("promoted", "promoted and held", "cleared"),
    "request_cancel": _EXECUTING,
    "request_pause": (
        "queued", "blocked", "expired", "promoted", "executing", "closing", "auth required", "paused for approval",
        "paused by agent",
    ),
    "take_pause_back": ("held", "promoted and held", "pausing", "paused for approval, to pause"),
}  # fmt: skip
_EVERY_MOVE = [(call, situation) for call in MOVES for situation in SITUATIONS]
_EVERYTHING_ELSE = [(call, situation) for call in {**RECORDS, **TICKETS} for situation in SITUATIONS]


def test_no_function_that_writes_a_run_is_left_out() -> None:
    written = {name for module in (moves, recording, holding, tickets, control_requests) for name in functions(module)}
    called = {name.partition(":")[0] for name in (*MOVES, *RECORDS, *TICKETS)}

    assert written == called | APART
    assert set(ALLOWED) == set(MOVES)
    assert set(ALLOWED_WITHOUT_A_VERB) == {*RECORDS, *TICKETS}


@pytest.mark.parametrize(("call", "situation"), [pair for pair in _EVERY_MOVE if pair[1] in ALLOWED[pair[0]]])
def test_an_allowed_move_changes_row_event_and_seq_together(world: World, call: str, situation: str) -> None:
    after = ALLOWED[call][situation]
    made = world.run(situation)
    before, events_before = world.row(made.id), world.events(made.id)

    answer = MOVES[call](made).one(world.connection)

    row, events = world.row(made.id), world.events(made.id)
    assert (row["status"], row["pause_kind"], row["status_was"]) == (after.status, after.pause_kind, before["status"])
    assert row["seq"] == before["seq"] + 1
    assert (row["finished_at"] is not None) == (after.status in {"SUCCESS", "FAILED", "CANCELED"})
    assert events[:-1] == events_before
    noted = events[-1]
    assert [event["seq"] for event in events] == list(range(1, row["seq"] + 1))
    assert (noted["type"], noted["verb"]) == (after.event, after.verb)
    assert (noted["status"], noted["status_was"]) == (after.status, before["status"])
    assert noted["reason"] == row["reason"]
    assert noted["tenant"] == row["tenant"]
    assert answer is not None
    assert {name: getattr(answer, name) for name in noted} == noted
    assert (answer.queue, answer.agent) == (row["queue"], row["agent"])


@pytest.mark.parametrize(("call", "situation"), [pair for pair in _EVERY_MOVE if pair[1] not in ALLOWED[pair[0]]])
def test_any_other_move_changes_nothing(world: World, call: str, situation: str) -> None:
    made = world.run(situation)
    before = world.whole(made.id)

    assert MOVES[call](made).one(world.connection) is None
    assert world.whole(made.id) == before


@pytest.mark.parametrize(("call", "situation"), _EVERYTHING_ELSE)
def test_records_tickets_and_requests_change_no_status(world: World, call: str, situation: str) -> None:
    made = world.run(situation)
    before = world.whole(made.id)

    answers = {**RECORDS, **TICKETS}[call](made).all(world.connection)

    if situation in ALLOWED_WITHOUT_A_VERB[call]:
        row = world.row(made.id)
        assert len(answers) == 1
        assert world.whole(made.id) != before
        assert [row[name] for name in ("status", "pause_kind", "status_was")] == [
            before["run"][0][name] for name in ("status", "pause_kind", "status_was")
        ]
        assert [event["seq"] for event in world.events(made.id)] == list(range(1, row["seq"] + 1))
    else:
        assert answers == []
        assert world.whole(made.id) == before


@pytest.mark.parametrize("situation", TERMINAL)
def test_nothing_changes_a_terminal_run(world: World, situation: str) -> None:
    made = world.run(situation)
    before = world.whole(made.id)

    for call in {**MOVES, **RECORDS, **TICKETS}.values():
        assert call(made).all(world.connection) == []
    assert world.whole(made.id) == before


@pytest.mark.parametrize("situation", ["queued", "executing", "paused for approval"])
def test_another_tenant_can_neither_cancel_nor_ask_for_it(world: World, situation: str) -> None:
    made = world.run(situation, tenant="other")
    before = world.whole(made.id)

    assert MOVES["cancel_idle"](made).one(world.connection) is None
    assert TICKETS["request_cancel"](made).one(world.connection) is None
    assert world.whole(made.id) == before
