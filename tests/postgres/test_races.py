"""Two connections decide about one run: exactly one wins, and the loser gets no row and has changed nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from models.ids import new_id
from models.promotion import tickets
from models.runs import recording
from models.statement import Statement
from models.stored_event import StoredEvent
from models.tables.idempotency import claim_key
from tests.postgres.calls import LIMITS, MOVES, RECORDS, TICKETS, Call, fence, record
from tests.postgres.duel import Connection, Waiting, duel, until_blocked
from tests.postgres.factory import Made, World

Connect = Callable[[], Connection]
_ALL = {**MOVES, **RECORDS, **TICKETS}


def _next_epoch(made: Made) -> Made:
    return replace(made, epoch=made.epoch + 1)


def _consistent(world: World, made: Made) -> dict[str, Any]:
    row = world.row(made.id)
    assert [event["seq"] for event in world.events(made.id)] == list(range(1, row["seq"] + 1))
    return row


# (situation, the one that comes first, the one that waits and loses, the final status)
FIRST_WINS = [
    ("promoted", "cancel_idle", "claim", "CANCELED"),
    ("promoted", "claim", "cancel_idle", "RUNNING"),
    ("promoted", "claim", "claim", "RUNNING"),
    ("cleared", "claim", "claim", "RUNNING"),
    ("cleared", "cancel_idle", "claim", "CANCELED"),
    ("cleared", "pause_idle", "claim", "PAUSED"),
    ("cleared", "claim", "pause_idle", "RUNNING"),
    ("promoted", "decline", "claim", "QUEUED"),
    ("promoted", "claim", "decline", "RUNNING"),
    ("promoted", "fail_idle", "claim", "FAILED"),
    ("executing", "succeed", "request_cancel", "SUCCESS"),
    ("executing", "fail", "request_cancel", "FAILED"),
    ("canceling", "cancel_executing", "succeed", "CANCELED"),
    ("canceling", "succeed", "cancel_executing", "SUCCESS"),
    ("overdue", "cancel_overdue", "succeed", "CANCELED"),
    ("overdue", "succeed", "cancel_overdue", "SUCCESS"),
    ("overdue", "cancel_overdue", "cancel_executing", "CANCELED"),
    ("overdue", "cancel_executing", "cancel_overdue", "CANCELED"),
    ("executing", "release:recover", "succeed", "RUNNING"),
    ("executing", "succeed", "release:recover", "SUCCESS"),
    ("executing", "release:recover", "release:hand_back", "RUNNING"),
    ("executing", "release:recover", "step", "RUNNING"),
    ("executing", "succeed", "step", "SUCCESS"),
    ("executing", "succeed", "log", "SUCCESS"),
    ("executing", "release:recover", "park:await_approval", "RUNNING"),
    ("executing", "request_cancel", "park:await_approval", "RUNNING"),
    ("executing", "request_cancel", "park:pause_by_agent", "RUNNING"),
    ("executing", "park:require_authorization", "request_cancel", "AUTH_REQUIRED"),
    ("executing", "park:await_approval", "succeed", "PAUSED"),
    ("closing", "request_cancel", "park_for_window", "RUNNING"),
    ("closing", "request_pause", "park_for_window", "RUNNING"),
    ("closing", "park_for_window", "request_cancel", "PAUSED"),
    ("pausing", "request_cancel", "pause_executing", "RUNNING"),
    ("pausing", "pause_executing", "request_cancel", "PAUSED"),
    ("paused for approval", "resume", "resume", "RUNNING"),
    ("paused for approval", "cancel_idle", "resume", "CANCELED"),
    ("paused for approval", "fail_idle", "resume", "FAILED"),
    ("paused for approval", "cancel_idle", "fail_idle", "CANCELED"),
    ("queued", "cancel_idle", "cancel_idle", "CANCELED"),
]  # fmt: skip


@pytest.mark.parametrize("race", FIRST_WINS, ids=" · ".join)
def test_who_comes_first_decides(world: World, connect: Connect, race: tuple[str, str, str, str]) -> None:
    situation, first, second, status = race
    made = world.run(situation)
    alone = world.run(situation)
    assert _ALL[first](alone).one(world.connection) is not None

    won, lost = duel(connect, _ALL[first](made), _ALL[second](made))

    assert (len(won), lost) == (1, [])
    row = _consistent(world, made)
    assert row["status"] == status
    # The loser has left no trace: the state is as if the winner had been alone.
    undisturbed = world.row(alone.id)
    different = {
        "id",
        "lease_worker",
        "created_at",
        "updated_at",
        "ready_at",
        "finished_at",
        "claimed_at",
        "promoted_at",
    }
    moments = {"control_at", "ticket_at", "started_at", "blocked_until", "active_ms"}
    assert {k: v for k, v in row.items() if k not in different | moments} == {
        k: v for k, v in undisturbed.items() if k not in different | moments
    }


def test_a_cancel_that_waited_for_the_promotion_withdraws_the_ticket(world: World, connect: Connect) -> None:
    made = world.run("queued")

    won, then = duel(connect, TICKETS["promote"](made), MOVES["cancel_idle"](made))

    assert (len(won), len(then)) == (1, 1)
    row = _consistent(world, made)
    assert (row["status"], row["ticket_at"], row["epoch"]) == ("CANCELED", None, made.epoch + 1)
    assert MOVES["claim"](_next_epoch(made)).one(world.connection) is None


def test_a_promotion_skips_a_run_that_is_being_canceled(world: World, connect: Connect) -> None:
    made, free = world.run("queued"), world.run("queued")
    canceling, scheduler = connect(), connect()
    canceling.execute("BEGIN")
    assert MOVES["cancel_idle"](made).one(canceling) is not None

    promoted = tickets.promote([made.id, free.id]).all(scheduler)
    canceling.execute("COMMIT")

    assert [row.id for row in promoted] == [free.id]
    assert TICKETS["promote"](made).all(scheduler) == []
    assert world.row(made.id)["epoch"] == made.epoch


def test_two_promoters_share_the_runs_and_never_the_same_one(world: World, connect: Connect) -> None:
    runs = [world.run("queued").id for _ in range(6)]
    one, two = connect(), connect()
    one.execute("BEGIN")
    first = tickets.promote(runs[:4]).all(one)
    waiting = Waiting(two, tickets.promote(runs).all)  # only for the virtual time: it has passed the tags of the first
    until_blocked(world.connection, waiting.pid, one.info.backend_pid)
    one.execute("COMMIT")
    second = waiting.rows()

    assert [sorted(row.id for row in rows) for rows in (first, second)] == [sorted(runs[:4]), sorted(runs[4:])]
    assert tickets.promote(runs).all(two) == []
    assert {world.row(run)["epoch"] for run in runs} == {8}


def test_two_promoters_in_opposite_order_never_deadlock(world: World, connect: Connect) -> None:
    """They lock in the order of ids whatever order they were given, and skip what is locked."""
    runs = [world.run("queued").id for _ in range(4)]
    one, two = connect(), connect()
    for connection, order in ((one, runs), (two, runs[::-1])):
        connection.execute("BEGIN")
        connection.execute("SET LOCAL lock_timeout = '2s'")
        tickets.promote(order).all(connection)
    one.execute("COMMIT")
    two.execute("COMMIT")

    assert {world.row(run)["epoch"] for run in runs} == {8}


def test_a_step_that_waited_for_a_cancel_request_is_still_recorded(world: World, connect: Connect) -> None:
    """A request is no fence: the agent's work before its interruption is kept."""
    made = world.run("executing")

    requested, recorded = duel(connect, TICKETS["request_cancel"](made), RECORDS["step"](made))

    assert (len(requested), len(recorded)) == (1, 1)
    assert _consistent(world, made)["control_request"] == "cancel"


def test_a_finish_that_waited_for_a_cancel_request_wins_and_says_that_the_cancel_came_too_late(
    world: World, connect: Connect
) -> None:
    made = world.run("executing")

    _, finished = duel(connect, TICKETS["request_cancel"](made), MOVES["succeed"](made))

    assert len(finished) == 1
    assert _consistent(world, made)["status"] == "SUCCESS"
    assert world.events(made.id)[-1]["data"] == {"cancelTooLate": True}
    assert world.payload(made.id)["result"] == {"x": 1}


def test_a_hand_back_that_waited_for_a_cancel_request_honours_it(world: World, connect: Connect) -> None:
    made = world.run("executing")

    _, released = duel(connect, TICKETS["request_cancel"](made), MOVES["release:hand_back"](made))

    assert [row.status for row in released] == ["CANCELED"]
    assert (_consistent(world, made)["reason"], world.events(made.id)[-1]["verb"]) == ("by_user", "cancel")


@pytest.mark.parametrize(
    ("situation", "first", "second"),
    [("executing", "release:recover", "cancel_idle"), ("promoted", "claim", "request_cancel")],
)
def test_a_cancel_between_two_holders_is_told_no_row_at_once_and_holds_when_asked_again(
    world: World, connect: Connect, situation: str, first: str, second: str
) -> None:
    """It sees the run as it was before the other committed, so it does not wait: the caller decides again."""
    made = world.run(situation)
    holder, caller = connect(), connect()
    holder.execute("BEGIN")
    assert _ALL[first](made).one(holder) is not None
    assert _ALL[second](made).one(caller) is None
    holder.execute("COMMIT")

    assert _ALL[second](made).one(caller) is not None
    _consistent(world, made)


@pytest.mark.parametrize("second", ["step", "event"])
def test_two_items_of_one_activation_take_following_places(world: World, connect: Connect, second: str) -> None:
    made = world.run("executing")
    items: dict[str, Call] = {"step": _second_step, "event": _second_event}

    first, then = duel(connect, RECORDS["step"](made), items[second](made))

    assert [rows[0].seq if isinstance(rows[0], StoredEvent) else rows[0]["seq"] for rows in (first, then)] == [3, 4]
    _consistent(world, made)


def _second_step(made: Made) -> Statement:
    return recording.step(fence(made), 2, record("b##1"), LIMITS, None)


def _second_event(made: Made) -> Statement:
    return recording.event(fence(made), 2, "agent", "{}", None)


def test_two_requests_with_one_idempotency_key_make_one_entry(world: World, connect: Connect) -> None:
    """The second waits until the first is committed, gets no row, and reads the first's runs in a new statement."""
    key, one, two = str(new_id()), new_id(), new_id()

    won, lost = duel(connect, claim_key("t", key, "d1", [one]), claim_key("t", key, "d2", [two]))

    assert (len(won), lost) == (1, [])
    row = connect().execute("SELECT body_digest, run_ids FROM idempotency WHERE key = %s", [key]).fetchone()
    assert row == {"body_digest": "d1", "run_ids": [one]}
