"""The table of moves, written by hand and compared with the law. No expected value is derived from the law."""

from __future__ import annotations

import dataclasses

import pytest

from models import lifecycle

# Nine states: the seven public statuses, with PAUSED split by its kind.
STATES = (
    "QUEUED", "RUNNING", "AUTH_REQUIRED", "PAUSED approval", "PAUSED user", "PAUSED agent",
    "SUCCESS", "FAILED", "CANCELED",
)  # fmt: skip
TERMINAL = ("SUCCESS", "FAILED", "CANCELED")
WAITING = ("AUTH_REQUIRED", "PAUSED approval", "PAUSED user", "PAUSED agent")
GOING = ("QUEUED", "RUNNING", *WAITING)

# verb: (from, to)
MOVES: dict[str, tuple[tuple[str, ...], str]] = {
    "enqueue": ((), "QUEUED"),
    "start": (("QUEUED",), "RUNNING"),
    "continue": (("RUNNING",), "RUNNING"),
    "recover": (("RUNNING",), "RUNNING"),
    "hand_back": (("RUNNING",), "RUNNING"),
    "require_authorization": (("RUNNING",), "AUTH_REQUIRED"),
    "await_approval": (("RUNNING",), "PAUSED approval"),
    "pause_by_user": (("RUNNING",), "PAUSED user"),
    "pause_by_agent": (("RUNNING",), "PAUSED agent"),
    "resume": (WAITING, "RUNNING"),
    "succeed": (("QUEUED", "RUNNING", "AUTH_REQUIRED", "PAUSED approval"), "SUCCESS"),
    "fail": (("QUEUED", "RUNNING", "AUTH_REQUIRED", "PAUSED approval", "PAUSED agent"), "FAILED"),
    "cancel": (GOING, "CANCELED"),
}

# The allowed successors by the page on execution statuses: its "Can transition to" lines.
EXECUTION_STATUS = {
    "QUEUED": "starting",
    "RUNNING": "running",
    "AUTH_REQUIRED": "awaiting_confirmation",
    "PAUSED approval": "awaiting_confirmation",
    "PAUSED user": "paused",
    "PAUSED agent": "paused_by_agent",
    "SUCCESS": "completed",
    "FAILED": "failed",
    "CANCELED": "cancelled",
}
CAN_TRANSITION_TO = {
    "starting": {"running", "failed", "cancelled", "completed"},
    "running": {"paused", "paused_by_agent", "cancelled", "awaiting_confirmation", "completed", "failed"},
    "paused": {"cancelled", "running"},
    "paused_by_agent": {"cancelled", "running", "failed"},
    "awaiting_confirmation": {"completed", "cancelled", "failed", "running"},
    "completed": set(),
    "failed": set(),
    "cancelled": set(),
}
CATEGORY = {
    "processing": {"QUEUED", "RUNNING"},
    "awaiting": {"AUTH_REQUIRED", "PAUSED approval"},
    "paused": {"PAUSED user", "PAUSED agent"},
    "terminal": {"SUCCESS", "FAILED", "CANCELED"},
}
# The page on the run's lifecycle: QUEUED → RUNNING → (AUTH_REQUIRED | PAUSED)* → (SUCCESS | FAILED | CANCELED).
DRAWN = {
    ("QUEUED", "RUNNING"), ("RUNNING", "AUTH_REQUIRED"), ("AUTH_REQUIRED", "RUNNING"), ("PAUSED", "RUNNING"),
    ("RUNNING", "PAUSED"), ("RUNNING", "SUCCESS"), ("RUNNING", "FAILED"), ("RUNNING", "CANCELED"),
    ("PAUSED", "CANCELED"), ("QUEUED", "CANCELED"),
}  # fmt: skip


def _named(state: lifecycle.State) -> str:
    return f"{state.status} {state.pause_kind}" if state.pause_kind else str(state.status)


_LAW = {str(verb): move for verb, move in lifecycle.MOVES.items()}
_STATE = {_named(state): state for state in lifecycle.STATES}


def test_there_are_nine_states_and_thirteen_verbs() -> None:
    assert tuple(_STATE) == STATES
    assert set(_LAW) == set(MOVES)
    assert {str(verb) for verb in lifecycle.Verb} == set(MOVES)
    assert [str(status) for status in lifecycle.Status] == list(dict.fromkeys(name.split()[0] for name in STATES))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("verb", MOVES)
def test_a_verb_may_begin_where_the_table_says_and_nowhere_else(verb: str, state: str) -> None:
    allowed = state in MOVES[verb][0]

    assert (_STATE[state] in _LAW[verb].sources) is allowed


@pytest.mark.parametrize("verb", MOVES)
def test_a_verb_ends_where_the_table_says(verb: str) -> None:
    assert _named(_LAW[verb].target) == MOVES[verb][1]
    assert str(_LAW[verb].verb) == verb


def test_no_verb_leaves_a_terminal_status() -> None:
    leaving = {verb for verb, move in _LAW.items() if {_named(source) for source in move.sources} & set(TERMINAL)}

    assert leaving == set()
    assert {str(status) for status in lifecycle.TERMINAL} == set(TERMINAL)


def test_parked_means_waiting_for_somebody_or_something() -> None:
    assert {_named(state) for state in lifecycle.PARKED} == set(WAITING)


@pytest.mark.parametrize("name", CAN_TRANSITION_TO)
def test_execution_statuses_follow_one_another_as_documented(name: str) -> None:
    following = {
        EXECUTION_STATUS[_named(move.target)]
        for move in _LAW.values()
        for source in move.sources
        if EXECUTION_STATUS[_named(source)] == name
    }

    # `running → running` (recovered, handed back, continued) is one public execution status.
    assert following - {name} == CAN_TRANSITION_TO[name]
    assert name not in following or name == "running"


def test_the_drawn_lifecycle_is_possible() -> None:
    possible = {(str(source.status), str(move.target.status)) for move in _LAW.values() for source in move.sources}

    assert possible >= DRAWN
    assert not [pair for pair in possible if pair[0] in TERMINAL]


@pytest.mark.parametrize("state", STATES)
def test_a_state_has_its_execution_status_and_its_category(state: str) -> None:
    assert lifecycle.execution_status(_STATE[state]) == EXECUTION_STATUS[state]
    assert state in CATEGORY[lifecycle.category(_STATE[state])]


def test_the_categories_are_four_and_cover_every_state_once() -> None:
    assert set(lifecycle.CATEGORIES) == set(CATEGORY)
    assert sorted(state for states in CATEGORY.values() for state in states) == sorted(STATES)


def test_the_law_cannot_be_changed_by_accident() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        _LAW["cancel"].event = "status"  # type: ignore[misc]  # that is the point
