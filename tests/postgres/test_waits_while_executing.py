"""A run that executes awaits what its agent opened in this activation: each wait is over once, and its worker is woken for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from models import consents, control, grants, moves, steering, waits
from models.announcing import announce
from models.bus import Bus, worker_channel
from models.database import Row
from models.grants import Given, Holder
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.questions import authorization, question
from scheduler.timers import Timers
from tests.postgres.calls import TENANT, fence
from tests.postgres.duel import Connection, Waiting, until_blocked
from tests.postgres.factory import Made, World
from tests.postgres.families import child_of, succeed, turn
from tests.postgres.inside import Deaf
from tests.postgres.opening import open_waits

Connect = Callable[[], Connection]
ASK = {"prompt": "Ship it?", "onDeny": "cancel"}


def _word(key: str = "a", due_ms: int | None = None) -> NewWait:
    return NewWait(key, "signal", {"signal": "word"}, due_ms, "timeout" if due_ms is not None else None)


def _asks() -> NewWait:
    return question("ask", ASK, 3_600_000, "denied")


def _own_pause() -> NewWait:
    return NewWait("pause", "user", {"reason": "look"}, 3_600_000, "timeout")


def _awaiting(world: World, *opened: NewWait, situation: str = "executing") -> Made:
    made = world.run(situation)
    row = open_waits(world.connection, fence(made), opened)
    assert row is not None
    assert not row["over"]
    return made


def _open(made: Made, *opened: NewWait) -> Callable[[Connection], list[Row]]:
    def open_them(connection: Connection) -> list[Row]:
        row = open_waits(connection, fence(made), opened)
        return [row] if row else []

    return open_them


def _signal(made: Made, payload: object = 1) -> Callable[[Connection], list[Row]]:
    def send(connection: Connection) -> list[Row]:
        stands = waits.knock(made.id, TENANT).one(connection)
        assert stands is not None
        assert waits.keep_signal(made.id, "word", payload=json.dumps(payload), sender=None).one(connection)
        over = waits.deliver(made.id).all(connection)
        waits.wake(connection, stands, over)
        return over

    return send


def _decide(made: Made, wait: NewWait, outcome: str = "approved") -> Callable[[Connection], list[Row]]:
    def decide(connection: Connection) -> list[Row]:
        stands = waits.knock(made.id, TENANT).one(connection)
        assert stands is not None
        over = waits.decide(made.id, wait.id, outcome=outcome, by=f"by {outcome}").all(connection)
        waits.wake(connection, stands, over)
        return over

    return decide


def _park(made: Made, wait: NewWait, inbox: int) -> Callable[[Connection], list[Row]]:
    move = moves.park(
        Verb.AWAIT_APPROVAL, made.id, made.epoch, made.worker, inbox=inbox, active_ms=1, reason=Reason.APPROVAL_NEEDED,
        waits=[wait], wake="any",
    )  # fmt: skip

    def park(connection: Connection) -> list[Row]:
        row = waits.Park(move, [wait]).one(connection)
        return [row] if row else []

    return park


def _one_behind_the_other(
    connect: Connect, first: Callable[[Connection], list[Row]], second: Callable[[Connection], list[Row]]
) -> tuple[list[Row], list[Row]]:
    """Hold the first one's transaction open until the second waits for its lock."""
    holder, other, watcher = connect(), connect(), connect()
    holder.execute("BEGIN")
    won = first(holder)
    other.execute("BEGIN")
    waiting = Waiting(other, second)
    until_blocked(watcher, waiting.pid, holder.info.backend_pid)
    holder.execute("COMMIT")
    rows = waiting.rows()
    other.execute("COMMIT")
    return won, rows


def _outcome(world: World, wait: NewWait) -> tuple[str | None, str | None]:
    sql = "SELECT outcome, decided_by FROM wait WHERE id = %s"
    row = world.connection.execute(sql, [wait.id]).fetchone()
    assert row is not None
    return row["outcome"], row["decided_by"]


def _stands(world: World, made: Made) -> tuple[Any, ...]:
    row = world.row(made.id)
    return row["status"], row["lease_worker"], row["epoch"], row["pending_waits"]


def _kept(world: World, made: Made) -> int:
    sql = "SELECT 1 FROM signal WHERE run_id = %s AND consumed_by IS NULL"
    return len(world.connection.execute(sql, [made.id]).fetchall())


# ------------------------------------------------------------------------------------------------------------ outcomes
def test_a_signal_is_delivered_to_a_run_that_executes_and_its_status_stays(world: World) -> None:
    wait = _word()
    made = _awaiting(world, wait)
    before = world.events(made.id)
    assert [row["id"] for row in _signal(made)(world.connection)] == [wait.id]
    assert _outcome(world, wait)[0] == "received"
    assert (_stands(world, made), _kept(world, made)) == (("RUNNING", made.worker, made.epoch, 0), 0)
    assert world.events(made.id) == before


def test_a_signal_is_kept_for_what_is_opened_again_behind_a_wait_of_an_earlier_activation(world: World) -> None:
    wait = _word()
    made = _awaiting(world, wait)
    world.connection.execute("UPDATE run SET epoch = epoch + 1 WHERE id = %s", [made.id])
    assert _signal(made)(world.connection) == []
    assert (_outcome(world, wait)[0], _kept(world, made)) == (None, 1)
    again = open_waits(world.connection, fence(replace(made, epoch=made.epoch + 1)), [_word()])
    assert again is not None
    assert again["over"], "it takes what was kept"
    assert (_outcome(world, wait)[0], _kept(world, made)) == ("received", 0), "opened again it is the same wait"


@pytest.mark.parametrize("situation", ["ready", "paused by user"])
def test_between_two_activations_a_run_takes_no_signal(world: World, situation: str) -> None:
    wait = _word()
    made = _awaiting(world, wait)
    sets = {"ready": "ready_at = now()", "paused by user": "status = 'PAUSED', pause_kind = 'user'"}[situation]
    world.connection.execute(f"UPDATE run SET lease_worker = NULL, {sets} WHERE id = %s", [made.id])
    assert _signal(made)(world.connection) == []
    assert (_outcome(world, wait)[0], _kept(world, made)) == (None, 1)


def test_what_the_next_signal_must_fit_is_asked_of_a_run_that_executes(world: World) -> None:
    made = _awaiting(world, NewWait("a", "signal", {"signal": "word", "schema": {"type": "integer"}}))
    assert waits.next_for_signal(made.id, "word").one(world.connection) == {"schema": {"type": "integer"}}
    world.connection.execute("UPDATE run SET epoch = epoch + 1 WHERE id = %s", [made.id])
    assert waits.next_for_signal(made.id, "word").one(world.connection) is None


@pytest.mark.parametrize("outcome", ["approved", "denied"])
def test_a_decision_changes_no_status_and_is_told_by_one_event(world: World, outcome: str) -> None:
    """Also a denial that cancels: the host of the run acts on it."""
    wait = _asks()
    made = _awaiting(world, wait)
    assert _decide(made, wait, outcome)(world.connection)
    assert _stands(world, made) == ("RUNNING", made.worker, made.epoch, 0)
    last = world.events(made.id)[-1]
    assert (last["type"], last["verb"], last["status"], last["seq"]) == ("run_action", None, "RUNNING", 4)
    assert last["data"]["by"] == f"by {outcome}"


# --------------------------------------------------------------------------------------------------------------- races
@pytest.mark.parametrize("order", [("approved", "denied"), ("denied", "approved")])
def test_of_two_decisions_about_a_run_that_executes_the_second_decides_nothing(
    world: World, connect: Connect, order: tuple[str, str]
) -> None:
    wait = _asks()
    made = _awaiting(world, wait)
    won, lost = _one_behind_the_other(connect, *(_decide(made, wait, outcome) for outcome in order))
    assert (len(won), lost) == (1, [])
    assert _outcome(world, wait) == (order[0], f"by {order[0]}")
    assert [event["type"] for event in world.events(made.id)].count("run_action") == 1


def test_a_park_that_waits_for_a_decision_is_none_and_tried_again_neither(world: World, connect: Connect) -> None:
    wait = _asks()
    made = _awaiting(world, wait)
    won, lost = _one_behind_the_other(connect, _decide(made, wait), _park(made, wait, inbox=0))
    assert (len(won), lost) == (1, []), "its inbox has changed since its activation read it"
    again = moves.park(
        Verb.AWAIT_APPROVAL, made.id, made.epoch, made.worker, inbox=1, active_ms=1, reason=Reason.WAITING, waits=[wait]
    )  # fmt: skip
    assert waits.Park(again, [wait], again=True).one(world.connection) is None, "what it would wait for is over"
    assert (_outcome(world, wait)[0], _stands(world, made)[0]) == ("approved", "RUNNING")


def test_a_decision_that_waits_for_a_park_wakes_the_parked_run(world: World, connect: Connect) -> None:
    wait = _asks()
    made = _awaiting(world, wait)
    parked, won = _one_behind_the_other(connect, _park(made, wait, inbox=0), _decide(made, wait))
    assert (len(parked), len(won)) == (1, 1)
    row = world.row(made.id)
    assert (row["status"], row["reason"], row["lease_worker"]) == ("RUNNING", "approved", None)
    assert [event["verb"] for event in world.events(made.id)][-3:] == ["await_approval", None, "resume"]


def test_a_signal_that_waits_for_an_open_finds_its_wait(world: World, connect: Connect) -> None:
    made, wait = world.run("executing"), _word()
    opened, over = _one_behind_the_other(connect, _open(made, wait), _signal(made))
    assert [row["over"] for row in opened] == [False]
    assert ([row["id"] for row in over], _kept(world, made)) == ([wait.id], 0)


def test_an_open_that_waits_for_a_signal_takes_it(world: World, connect: Connect) -> None:
    made, wait = world.run("executing"), _word()
    kept, opened = _one_behind_the_other(connect, _signal(made), _open(made, wait))
    assert (kept, [row["over"] for row in opened]) == ([], [True])
    assert (_outcome(world, wait)[0], _kept(world, made)) == ("received", 0)


def test_an_open_that_waits_for_the_end_of_its_lease_opens_nothing(world: World, connect: Connect) -> None:
    made, wait = world.run("executing"), _word()
    release = moves.release(made.id, made.epoch, made.worker, verb=Verb.RECOVER, reason=Reason.WORKER_LOST)
    released, opened = _one_behind_the_other(connect, release.all, _open(made, wait))
    assert (len(released), opened) == (1, [])
    assert world.connection.execute("SELECT 1 FROM wait WHERE run_id = %s", [made.id]).fetchall() == []


@pytest.mark.parametrize("clock_first", [True, False])
def test_a_wait_of_a_run_that_executes_is_over_by_the_clock_or_by_a_decision(
    world: World, connect: Connect, clock_first: bool
) -> None:
    wait = _asks()
    made = _awaiting(world, wait)

    def expire(connection: Connection) -> list[Row]:
        stands = waits.knock(made.id, TENANT).one(connection)
        assert stands is not None
        connection.execute("UPDATE wait SET due_at = now() WHERE id = %s AND resolved_at IS NULL", [wait.id])
        over = waits.resolve_due(made.id).all(connection)
        waits.wake(connection, stands, over)
        return over

    order = (expire, _decide(made, wait)) if clock_first else (_decide(made, wait), expire)
    won, lost = _one_behind_the_other(connect, *order)
    assert (len(won), lost) == (1, [])
    assert _outcome(world, wait)[0] == ("denied" if clock_first else "approved")
    assert _stands(world, made)[0] == "RUNNING"


# ----------------------------------------------------------------------------------------------------- the worker is woken
def _woken(bus: Deaf) -> list[str]:
    return [channel for channel, _ in bus.woken]


def test_the_clock_ends_a_wait_of_a_run_that_executes_once_and_wakes_its_worker(world: World) -> None:
    wait, bus = NewWait("sleep#1", "timer", {}, 0, "elapsed"), Deaf()
    made, clock = _awaiting(world, wait), Timers(cast(Bus, bus))
    clock.step(world.connection)
    assert (_outcome(world, wait)[0], _stands(world, made)[0]) == ("elapsed", "RUNNING")
    assert _woken(bus).count(worker_channel(made.worker)) == 1
    assert clock.step(world.connection) > 0, "nothing is looked at again"
    assert _woken(bus).count(worker_channel(made.worker)) == 1


def test_a_child_that_ends_wakes_the_worker_of_a_parent_that_awaits_it(world: World) -> None:
    awaits = NewWait("wait:child#a#1", "child", {"signal": "taxiway.child/a"})
    made, bus = _awaiting(world, awaits), Deaf()
    for key in ("b", "a"):
        succeed(world.connection, child_of(world, made, key))
        turn(world.connection, bus)
        assert _woken(bus).count(worker_channel(made.worker)) == (key == "a"), "what is kept for later wakes nobody"
    assert (_outcome(world, awaits)[0], _stands(world, made)[0]) == ("received", "RUNNING")


def test_a_consent_of_another_run_ends_the_wait_of_one_that_executes_and_wakes_its_worker(world: World) -> None:
    holder = Holder(TENANT, f"ann-{uuid4()}", "bank")
    request = {"provider": "bank", "subject": holder.subject, "scopes": ["read"], "onDeny": "fail"}
    wait = authorization("a", request, 60_000, "timeout", holder)
    made = _awaiting(world, wait)
    grants.store(holder, Given("v1.sealed", ("read",), refreshable=True, expires_in=60)).one(world.connection)
    assert grants.tell_others(world.connection, holder, uuid4()) == 1
    folded = consents.hear(world.connection, world.row(made.id), [])
    assert list(folded.workers) == [made.worker]
    assert [event["type"] for event in folded.events] == ["authentication"]
    assert (_outcome(world, wait)[0], _stands(world, made)[0]) == ("authorized", "RUNNING")
    assert list(consents.hear(world.connection, world.row(made.id), []).workers) == [], "nothing was over"


def test_who_is_told_depends_on_whether_the_run_executes(world: World) -> None:
    executing, parked = world.run("executing"), world.run("paused by agent")
    for made in (executing, parked):
        stands, bus = waits.knock(made.id, TENANT).one(world.connection), Deaf()
        assert stands is not None
        announce(bus, stands, [])
        assert _woken(bus) == ([worker_channel(made.worker)] if made is executing else [])
        announce(bus, stands, [{**world.events(made.id)[0], "queue": "default"}])
        assert _woken(bus)[-1] == (worker_channel(made.worker) if made is executing else "taxiway:promote")
        assert [tenant for tenant, _ in bus.said] == [TENANT]


# ---------------------------------------------------------------------------------------------------------------- resuming
def _resume(world: World, run: UUID) -> steering.Steered:
    with world.connection.transaction():
        done = steering.resume(world.connection, run, TENANT, by="rob")
    assert done is not None
    return done


def test_a_resume_ends_the_agents_own_pause_while_the_run_executes(world: World) -> None:
    pause, ask = _own_pause(), _asks()
    made = _awaiting(world, pause, ask)
    done = _resume(world, made.id)
    assert (done.did, list(done.events), done.worker) == (True, [], made.worker)
    assert (_outcome(world, pause), _outcome(world, ask)) == (("resumed", "rob"), (None, None))
    assert _stands(world, made)[0] == "RUNNING"
    assert not _resume(world, made.id).did, "there is no pause any more"


def test_a_resume_ends_a_recorded_pause_and_the_agents_own_together(world: World) -> None:
    pause = _own_pause()
    made = _awaiting(world, pause, situation="pausing")
    done = _resume(world, made.id)
    assert (done.did, bool(done.asked), done.worker) == (True, True, made.worker)
    assert (_outcome(world, pause)[0], world.row(made.id)["control_request"]) == ("resumed", None)


def test_a_resume_that_only_takes_a_recorded_pause_back_wakes_no_worker(world: World) -> None:
    made = _awaiting(world, _word(), situation="pausing")
    done = _resume(world, made.id)
    assert (done.did, done.worker, list(done.over)) == (True, None, [])


def test_a_resume_ends_nothing_of_a_run_that_is_to_be_canceled(world: World) -> None:
    pause = _own_pause()
    made = _awaiting(world, pause, situation="canceling")
    assert not _resume(world, made.id).did
    assert _outcome(world, pause)[0] is None


def test_a_resume_ends_no_pause_that_an_earlier_activation_opened(world: World) -> None:
    pause = _own_pause()
    made = _awaiting(world, pause)
    world.connection.execute("UPDATE run SET epoch = epoch + 1 WHERE id = %s", [made.id])
    assert not _resume(world, made.id).did
    assert _outcome(world, pause)[0] is None


def test_a_user_who_paused_the_run_itself_ends_that_first(world: World) -> None:
    """The agent opens its own pause again in the next activation, and still waits for somebody to end it."""
    pause = _own_pause()
    made = _awaiting(world, pause, situation="pausing")
    assert moves.pause_executing(made.id, made.epoch, made.worker, active_ms=1).one(world.connection)
    done = _resume(world, made.id)
    assert [event["verb"] for event in done.events] == ["resume"]
    assert _outcome(world, pause)[0] is None


@pytest.mark.parametrize("resume_first", [True, False])
def test_a_resume_that_meets_a_park_ends_the_pause_once(world: World, connect: Connect, resume_first: bool) -> None:
    pause = _own_pause()
    made = _awaiting(world, pause)

    def resume(connection: Connection) -> list[Row]:
        done = steering.resume(connection, made.id, TENANT, by="rob")
        assert done is not None
        return list(done.over)

    acts = (resume, _park(made, pause, inbox=0)) if resume_first else (_park(made, pause, inbox=0), resume)
    first, second = _one_behind_the_other(connect, *acts)
    assert (len(first), len(second)) == (1, 0 if resume_first else 1)
    row = world.row(made.id)
    assert (_outcome(world, pause)[0], row["status"], row["lease_worker"] is None) == (
        "resumed",
        "RUNNING",
        not resume_first,
    )


def test_a_pause_that_is_asked_for_wakes_the_worker_as_before(world: World) -> None:
    made = _awaiting(world, _own_pause())
    with world.connection.transaction():
        done = steering.pause(world.connection, made.id, TENANT, by="pam", comment=None)
    assert done is not None
    assert done.worker == made.worker
    assert control.take_pause_back(made.id).one(world.connection)
