"""An executing run awaits what its agent opened in this activation: each wait ends once, and its worker is woken for it."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from models import moves
from models.authorization import grants
from models.authorization.grants import Given, Holder
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.runs import consents
from models.runs.announcing import announce
from models.runtime.bus import worker_channel
from models.stored_event import StoredEvent
from models.waiting import waits
from models.waiting.park import Park
from models.waiting.questions import authorization
from models.waiting.run_state import ResolvedWait
from models.waiting.waits import WantedPayload
from models.waiting.wake import wake_run
from scheduler.duties.timers import Timers
from tests.postgres.awaiting import (
    Connect,
    asks,
    awaiting,
    decides,
    kept,
    one_behind_the_other,
    opens,
    outcome_of,
    parks,
    sends,
    stands_of,
    woken,
    word,
)
from tests.postgres.calls import TENANT, fence
from tests.postgres.duel import Connection
from tests.postgres.factory import World
from tests.postgres.families import child_of, succeed, target, turn
from tests.postgres.opening import open_waits
from tests.postgres.proxied import Deaf
from tests.postgres.stepping import do


def test_a_signal_is_delivered_to_a_run_that_executes_and_its_status_stays(world: World) -> None:
    wait = word()
    made = awaiting(world, wait)
    before = world.events(made.id)
    assert [over.id for over in sends(made)(world.connection)] == [wait.id]
    assert outcome_of(world, wait)[0] == "received"
    assert (stands_of(world, made), kept(world, made)) == (("RUNNING", made.worker, made.epoch, 0), 0)
    assert world.events(made.id) == before


def test_a_signal_is_kept_for_what_is_opened_again_behind_a_wait_of_an_earlier_activation(world: World) -> None:
    wait = word()
    made = awaiting(world, wait)
    world.connection.execute("UPDATE run SET epoch = epoch + 1 WHERE id = %s", [made.id])
    assert sends(made)(world.connection) == []
    assert (outcome_of(world, wait)[0], kept(world, made)) == (None, 1)
    again = open_waits(world.connection, fence(replace(made, epoch=made.epoch + 1)), [word()])
    assert again is not None
    assert again.over, "it takes what was kept"
    assert (outcome_of(world, wait)[0], kept(world, made)) == ("received", 0), "opened again it is the same wait"


@pytest.mark.parametrize("situation", ["ready", "paused by user"])
def test_between_two_activations_a_run_takes_no_signal(world: World, situation: str) -> None:
    wait = word()
    made = awaiting(world, wait)
    sets = {"ready": "ready_at = now()", "paused by user": "status = 'PAUSED', pause_kind = 'user'"}[situation]
    world.connection.execute(f"UPDATE run SET lease_worker = NULL, {sets} WHERE id = %s", [made.id])
    assert sends(made)(world.connection) == []
    assert (outcome_of(world, wait)[0], kept(world, made)) == (None, 1)


def test_what_the_next_signal_must_fit_is_asked_of_a_run_that_executes(world: World) -> None:
    made = awaiting(world, NewWait("a", "signal", {"signal": "word", "schema": {"type": "integer"}}))
    assert waits.next_for_signal(made.id, "word").one(world.connection) == WantedPayload({"type": "integer"})
    world.connection.execute("UPDATE run SET epoch = epoch + 1 WHERE id = %s", [made.id])
    assert waits.next_for_signal(made.id, "word").one(world.connection) is None


@pytest.mark.parametrize("outcome", ["approved", "denied"])
def test_a_decision_changes_no_status_and_is_told_by_one_event(world: World, outcome: str) -> None:
    """This includes a denial that cancels: the host of the run acts on it."""
    wait = asks()
    made = awaiting(world, wait)
    assert decides(made, wait, outcome)(world.connection)
    assert stands_of(world, made) == ("RUNNING", made.worker, made.epoch, 0)
    last = world.events(made.id)[-1]
    assert (last["type"], last["verb"], last["status"], last["seq"]) == ("run_action", None, "RUNNING", 4)
    assert last["data"]["by"] == f"by {outcome}"


@pytest.mark.parametrize("order", [("approved", "denied"), ("denied", "approved")])
def test_of_two_decisions_about_a_run_that_executes_the_second_decides_nothing(
    world: World, connect: Connect, order: tuple[str, str]
) -> None:
    wait = asks()
    made = awaiting(world, wait)
    won, lost = one_behind_the_other(connect, *(decides(made, wait, outcome) for outcome in order))
    assert (len(won), lost) == (1, [])
    assert outcome_of(world, wait) == (order[0], f"by {order[0]}")
    assert [event["type"] for event in world.events(made.id)].count("run_action") == 1


def test_a_park_that_waits_for_a_decision_is_none_and_tried_again_neither(world: World, connect: Connect) -> None:
    wait = asks()
    made = awaiting(world, wait)
    won, lost = one_behind_the_other(connect, decides(made, wait), parks(made, wait, inbox=0))
    assert (len(won), lost) == (1, []), "its inbox has changed since its activation read it"
    again = moves.park(
        Verb.AWAIT_APPROVAL, made.id, made.epoch, made.worker, inbox=1, active_ms=1, reason=Reason.WAITING, waits=[wait]
    )  # fmt: skip
    assert Park(again, [wait], again=True).one(world.connection) is None, "what it would wait for is over"
    assert (outcome_of(world, wait)[0], stands_of(world, made)[0]) == ("approved", "RUNNING")


def test_a_decision_that_waits_for_a_park_wakes_the_parked_run(world: World, connect: Connect) -> None:
    wait = asks()
    made = awaiting(world, wait)
    parked, won = one_behind_the_other(connect, parks(made, wait, inbox=0), decides(made, wait))
    assert (len(parked), len(won)) == (1, 1)
    row = world.row(made.id)
    assert (row["status"], row["reason"], row["lease_worker"]) == ("RUNNING", "approved", None)
    assert [event["verb"] for event in world.events(made.id)][-3:] == ["await_approval", None, "resume"]


def test_a_signal_that_waits_for_an_open_finds_its_wait(world: World, connect: Connect) -> None:
    made, wait = world.run("executing"), word()
    opened, over = one_behind_the_other(connect, opens(made, wait), sends(made))
    assert [row.over for row in opened] == [False]
    assert ([row.id for row in over], kept(world, made)) == ([wait.id], 0)


def test_an_open_that_waits_for_a_signal_takes_it(world: World, connect: Connect) -> None:
    made, wait = world.run("executing"), word()
    sent, opened = one_behind_the_other(connect, sends(made), opens(made, wait))
    assert (sent, [row.over for row in opened]) == ([], [True])
    assert (outcome_of(world, wait)[0], kept(world, made)) == ("received", 0)


def test_an_open_that_waits_for_the_end_of_its_lease_opens_nothing(world: World, connect: Connect) -> None:
    made, wait = world.run("executing"), word()
    release = moves.release(made.id, made.epoch, made.worker, verb=Verb.RECOVER, reason=Reason.WORKER_LOST)
    released, opened = one_behind_the_other(connect, release.all, opens(made, wait))
    assert (len(released), opened) == (1, [])
    assert world.connection.execute("SELECT 1 FROM wait WHERE run_id = %s", [made.id]).fetchall() == []


@pytest.mark.parametrize("clock_first", [True, False])
def test_a_wait_of_a_run_that_executes_is_over_by_the_clock_or_by_a_decision(
    world: World, connect: Connect, clock_first: bool
) -> None:
    wait = asks()
    made = awaiting(world, wait)

    def expire(connection: Connection) -> list[ResolvedWait]:
        run_state = waits.lock_run(made.id, TENANT).one(connection)
        assert run_state is not None
        connection.execute("UPDATE wait SET due_at = now() WHERE id = %s AND resolved_at IS NULL", [wait.id])
        over = waits.resolve_due(made.id).all(connection)
        wake_run(connection, run_state, over)
        return over

    order = (expire, decides(made, wait)) if clock_first else (decides(made, wait), expire)
    won, lost = one_behind_the_other(connect, *order)
    assert (len(won), lost) == (1, [])
    assert outcome_of(world, wait)[0] == ("denied" if clock_first else "approved")
    assert stands_of(world, made)[0] == "RUNNING"


def test_the_clock_ends_a_wait_of_a_run_that_executes_once_and_wakes_its_worker(world: World) -> None:
    wait = NewWait("sleep#1", "timer", {}, 0, "elapsed")
    made, clock = awaiting(world, wait), Timers()
    done = do(clock, world.connection)
    assert (outcome_of(world, wait)[0], stands_of(world, made)[0]) == ("elapsed", "RUNNING")
    assert list(done.workers).count(made.worker) == 1, "waits that other tests left may become due with it"
    done = do(clock, world.connection)
    assert (done.wait_s > 0, made.worker in done.workers) == (True, False), "nothing is looked at again"


def test_a_child_that_ends_wakes_the_worker_of_a_parent_that_awaits_it(world: World) -> None:
    awaits = NewWait("wait:child#a#1", "child", {"signal": "taxiway.child/a"})
    made = awaiting(world, awaits)
    for key in ("b", "a"):
        succeed(world.connection, child_of(world, made, key))
        woken_workers = turn(world.connection).workers
        assert woken_workers == ([made.worker] if key == "a" else []), "what is kept for later wakes nobody"
    assert (outcome_of(world, awaits)[0], stands_of(world, made)[0]) == ("received", "RUNNING")


def test_a_consent_of_another_run_ends_the_wait_of_one_that_executes_and_wakes_its_worker(world: World) -> None:
    holder = Holder(TENANT, f"ann-{uuid4()}", "bank")
    request = {"provider": "bank", "subject": holder.subject, "scopes": ["read"], "onDeny": "fail"}
    wait = authorization("a", request, 60_000, "timeout", holder)
    made = awaiting(world, wait)
    grants.store(holder, Given("v1.sealed", ("read",), refreshable=True, expires_in=60), world.provider()).one(
        world.connection
    )
    assert grants.tell_others(world.connection, holder, uuid4()) == 1
    folded = consents.hear(world.connection, target(world, made.id), [])
    assert list(folded.workers) == [made.worker]
    assert [event.type for event in folded.events] == ["authentication"]
    assert (outcome_of(world, wait)[0], stands_of(world, made)[0]) == ("authorized", "RUNNING")
    assert list(consents.hear(world.connection, target(world, made.id), []).workers) == [], "nothing was over"


def test_who_is_told_depends_on_whether_the_run_executes(world: World) -> None:
    executing, parked = world.run("executing"), world.run("paused by agent")
    for made in (executing, parked):
        run_state, bus = waits.lock_run(made.id, TENANT).one(world.connection), Deaf()
        assert run_state is not None
        announce(bus, run_state, [])
        assert woken(bus) == ([worker_channel(made.worker)] if made is executing else [])
        announce(bus, run_state, [StoredEvent(**world.events(made.id)[0], queue="default")])
        assert woken(bus)[-1] == (worker_channel(made.worker) if made is executing else "taxiway:promote")
        assert [tenant for tenant, _ in bus.said] == [TENANT]
