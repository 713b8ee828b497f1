"""A wait ends exactly once, wakes its run when it should, and is never lost between two transactions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from uuid import UUID

import pytest

from models import control_requests, moves
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.runtime.database import set_up
from models.stored_event import StoredEvent
from models.waiting import waits
from models.waiting.park import Park
from models.waiting.wake import wake_run
from scheduler.duties import timers
from scheduler.duties.timers import Timers
from tests.postgres.calls import TENANT
from tests.postgres.duel import Connection, Waiting, until_blocked
from tests.postgres.factory import Made, World
from tests.postgres.stepping import do

Connect = Callable[[], Connection]


def _word(key: str, name: str = "word", due_ms: int | None = None) -> NewWait:
    return NewWait(key, "signal", {"signal": name}, due_ms, "timeout" if due_ms is not None else None)


def _park(made: Made, opened: Sequence[NewWait], wake: str = "all", inbox: int = 0) -> Park:
    return Park(
        moves.park(
            Verb.PAUSE_BY_AGENT, made.id, made.epoch, made.worker, inbox=inbox, active_ms=1, reason=Reason.WAITING,
            waits=opened, wake=wake,
        )
    )  # fmt: skip


def _parked(world: World, opened: Sequence[NewWait], wake: str = "all") -> Made:
    made = world.run("executing")
    row = _park(made, opened, wake).one(world.connection)
    assert row is not None
    assert len(row.events) == 1
    return made


def _signal(
    connection: Connection, run: UUID, name: str, payload: object, sender: str | None = None
) -> list[StoredEvent]:
    """Send a signal as the API does, in the caller's transaction."""
    run_state = waits.lock_run(run, TENANT).one(connection)
    assert run_state is not None
    if not waits.keep_signal(run, name, payload=json.dumps(payload), sender=sender).one(connection):
        return []
    return wake_run(connection, run_state, waits.deliver(run).all(connection))


def _outcomes(world: World, run: UUID) -> dict[str, tuple[str | None, str | None]]:
    rows = world.connection.execute("SELECT key, outcome, answer::text AS answer FROM wait WHERE run_id = %s", [run])
    return {row["key"]: (row["outcome"], row["answer"]) for row in rows.fetchall()}


def _gapless(world: World, run: UUID) -> bool:
    return [event["seq"] for event in world.events(run)] == list(range(1, world.row(run)["seq"] + 1))


def _kept(world: World, run: UUID) -> list[str]:
    sql = "SELECT payload::text AS payload FROM signal WHERE run_id = %s AND consumed_by IS NULL ORDER BY id"
    return [row["payload"] for row in world.connection.execute(sql, [run]).fetchall()]


def test_a_signal_goes_to_the_first_wait_for_its_name_alone(world: World) -> None:
    made = _parked(world, [_word("a"), _word("b"), _word("c", "other")])
    assert _signal(world.connection, made.id, "word", 1) == []
    assert _outcomes(world, made.id) == {"a": ("received", "1"), "b": (None, None), "c": (None, None)}
    assert _signal(world.connection, made.id, "nobody's", 2) == []
    assert (world.row(made.id)["pending_waits"], _kept(world, made.id)) == (2, ["2"])


def test_all_waits_must_be_over_or_any(world: World) -> None:
    every, one = _parked(world, [_word("a"), _word("b")]), _parked(world, [_word("a"), _word("b")], wake="any")
    assert _signal(world.connection, every.id, "word", 1) == []
    assert [event.verb for event in _signal(world.connection, every.id, "word", 2)] == ["resume"]
    assert [event.verb for event in _signal(world.connection, one.id, "word", 1)] == ["resume"]
    for made in (every, one):
        row = world.row(made.id)
        assert (row["status"], row["reason"], row["pending_waits"]) == ("RUNNING", "wait_over", 0)
        assert row["ready_at"] is not None
        assert _gapless(world, made.id)


def test_what_came_before_its_wait_ends_it_in_the_transaction_that_opens_it(world: World) -> None:
    made = world.run("executing")
    assert _signal(world.connection, made.id, "word", {"n": 1}) == []
    assert _signal(world.connection, made.id, "word", {"n": 2}) == []
    assert _park(made, [_word("a")]).one(world.connection) is None, "its inbox has changed since the claim"
    row = _park(made, [_word("a")], inbox=2).one(world.connection)

    assert row is not None
    assert [event.verb for event in row.events[1:]] == ["resume"]
    assert _outcomes(world, made.id) == {"a": ("received", '{"n": 1}')}
    assert _kept(world, made.id) == ['{"n": 2}']
    assert (world.row(made.id)["status"], _gapless(world, made.id)) == ("RUNNING", True)


def test_a_signal_with_an_id_counts_once(world: World) -> None:
    made = _parked(world, [_word("a"), _word("b")])
    for payload in (1, 2):
        _signal(world.connection, made.id, "word", payload, sender="same")
    assert _outcomes(world, made.id) == {"a": ("received", "1"), "b": (None, None)}
    _signal(world.connection, made.id, "other", 3, sender="same")
    assert _kept(world, made.id) == ["3"], "the id belongs to the name"


def test_a_wait_that_is_open_already_stays_as_it_is(world: World) -> None:
    made = _parked(world, [_word("a", due_ms=60_000), _word("b")], wake="any")
    due = world.connection.execute("SELECT due_at FROM wait WHERE run_id = %s AND key = 'a'", [made.id]).fetchone()
    _signal(world.connection, made.id, "word", 1)  # the one for `a`
    world.connection.execute("UPDATE run SET lease_worker = %s, ready_at = NULL WHERE id = %s", [made.worker, made.id])
    assert _park(made, [_word("b")], "any", inbox=1).one(world.connection) is not None
    rows = world.connection.execute("SELECT key, due_at FROM wait WHERE run_id = %s ORDER BY key", [made.id]).fetchall()
    assert [row["key"] for row in rows] == ["a", "b"]
    assert due == {"due_at": rows[0]["due_at"]}


def test_a_user_who_wants_a_pause_gets_it_when_the_wait_is_over(world: World) -> None:
    made = _parked(world, [_word("a")])
    assert control_requests.request_pause(made.id, by="ann", comment="later").one(world.connection)
    events = _signal(world.connection, made.id, "word", 1)
    assert [event.verb for event in events] == ["resume", "pause_by_user"]
    row = world.row(made.id)
    assert (row["status"], row["pause_kind"], row["control_request"], row["ready_at"]) == ("PAUSED", "user", None, None)
    assert world.events(made.id)[-1]["data"] == {"by": "ann", "comment": "later"}
    assert _gapless(world, made.id)


def test_a_run_that_is_not_parked_keeps_what_came_for_later(world: World) -> None:
    for situation in ("queued", "executing", "ready", "paused by user"):
        made = world.run(situation)
        before = world.events(made.id)
        assert _signal(world.connection, made.id, "word", 1) == []
        assert (world.events(made.id), _kept(world, made.id)) == (before, ["1"])


@pytest.mark.parametrize("signal_first", [True, False])
def test_a_wait_that_a_signal_and_its_time_reach_at_once_has_one_outcome(
    world: World, connect: Connect, signal_first: bool
) -> None:
    made = _parked(world, [_word("a", due_ms=0)])

    def sound(connection: Connection) -> list[StoredEvent]:
        return _signal(connection, made.id, "word", 1)

    def expire(connection: Connection) -> list[StoredEvent]:
        run_state = waits.lock_run(made.id, TENANT).one(connection)
        assert run_state is not None
        return wake_run(connection, run_state, waits.resolve_due(made.id).all(connection))

    first, second = (sound, expire) if signal_first else (expire, sound)
    holder, other, watcher = connect(), connect(), connect()
    holder.execute("BEGIN")
    assert [event.verb for event in first(holder)] == ["resume"]
    other.execute("BEGIN")
    waiting = Waiting(other, second)
    until_blocked(watcher, waiting.pid, holder.info.backend_pid)
    holder.execute("COMMIT")
    assert waiting.rows() == []
    other.execute("COMMIT")

    assert _outcomes(world, made.id) == {"a": ("received", "1") if signal_first else ("timeout", None)}
    assert _kept(world, made.id) == ([] if signal_first else ["1"]), "what came too late is kept"
    assert [event["verb"] for event in world.events(made.id)].count("resume") == 1


def test_a_signal_that_waits_for_the_park_finds_its_wait(world: World, connect: Connect) -> None:
    made = world.run("executing")
    parking, signaling, watcher = connect(), connect(), connect()
    parking.execute("BEGIN")
    assert _park(made, [_word("a")]).one(parking) is not None
    signaling.execute("BEGIN")
    waiting = Waiting(signaling, lambda connection: _signal(connection, made.id, "word", 1))
    until_blocked(watcher, waiting.pid, parking.info.backend_pid)
    parking.execute("COMMIT")
    assert [event.verb for event in waiting.rows()] == ["resume"]
    signaling.execute("COMMIT")
    assert (world.row(made.id)["status"], _outcomes(world, made.id)) == ("RUNNING", {"a": ("received", "1")})


def test_the_clock_takes_the_run_before_its_waits_as_everybody_does(world: World, connect: Connect) -> None:
    """In the other order it would hold a wait that the holder of the run needs: both would wait forever."""
    made = _parked(world, [_word("a", due_ms=0)])
    signaling, ticking, watcher = connect(), connect(), connect()
    signaling.execute("SET lock_timeout = '2s'")
    signaling.execute("BEGIN")
    run_state = waits.lock_run(made.id, TENANT).one(signaling)
    assert run_state is not None
    assert waits.keep_signal(made.id, "word", payload="1", sender=None).one(signaling)

    def tick(connection: Connection) -> list[StoredEvent]:
        do(Timers(), connection)
        return []

    waiting = Waiting(ticking, tick)
    until_blocked(watcher, waiting.pid, signaling.info.backend_pid)
    assert len(wake_run(signaling, run_state, waits.deliver(made.id).all(signaling))) == 1
    signaling.execute("COMMIT")
    waiting.rows()
    assert _outcomes(world, made.id) == {"a": ("received", "1")}


def test_open_waits_with_a_time_are_found_by_their_index(own_world: World) -> None:
    set_up(own_world.connection)
    for _ in range(3):
        _parked(own_world, [_word("a", due_ms=0)])
    plan = own_world.connection.execute(f"EXPLAIN {timers._DUE}").fetchall()
    assert "wait_timer" in str(plan)
