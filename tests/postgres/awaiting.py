"""Runs that execute and await something, and the events of their waits: each act as a function of a connection."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from models import moves
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.waiting import waits
from models.waiting.park import Park
from models.waiting.questions import question
from models.waiting.wake import wake_run
from tests.postgres.calls import TENANT, fence
from tests.postgres.duel import Connection, Waiting, until_blocked
from tests.postgres.factory import Made, World
from tests.postgres.opening import open_waits
from tests.postgres.proxied import Deaf

Connect = Callable[[], Connection]


ASK = {"prompt": "Ship it?", "onDeny": "cancel"}


def word(key: str = "a", due_ms: int | None = None) -> NewWait:
    return NewWait(key, "signal", {"signal": "word"}, due_ms, "timeout" if due_ms is not None else None)


def asks() -> NewWait:
    return question("ask", ASK, 3_600_000, "denied")


def own_pause() -> NewWait:
    return NewWait("pause", "user", {"reason": "look"}, 3_600_000, "timeout")


def awaiting(world: World, *opened: NewWait, situation: str = "executing") -> Made:
    made = world.run(situation)
    row = open_waits(world.connection, fence(made), opened)
    assert row is not None
    assert not row.over
    return made


def opens(made: Made, *opened: NewWait) -> Callable[[Connection], list[Any]]:
    def open_them(connection: Connection) -> list[Any]:
        row = open_waits(connection, fence(made), opened)
        return [row] if row else []

    return open_them


def sends(made: Made, payload: object = 1) -> Callable[[Connection], list[Any]]:
    def send(connection: Connection) -> list[Any]:
        run_state = waits.lock_run(made.id, TENANT).one(connection)
        assert run_state is not None
        assert waits.keep_signal(made.id, "word", payload=json.dumps(payload), sender=None).one(connection)
        over = waits.deliver(made.id).all(connection)
        wake_run(connection, run_state, over)
        return over

    return send


def decides(made: Made, wait: NewWait, outcome: str = "approved") -> Callable[[Connection], list[Any]]:
    def decide(connection: Connection) -> list[Any]:
        run_state = waits.lock_run(made.id, TENANT).one(connection)
        assert run_state is not None
        over = waits.decide(made.id, wait.id, outcome=outcome, by=f"by {outcome}").all(connection)
        wake_run(connection, run_state, over)
        return over

    return decide


def parks(made: Made, wait: NewWait, inbox: int) -> Callable[[Connection], list[Any]]:
    move = moves.park(
        Verb.AWAIT_APPROVAL, made.id, made.epoch, made.worker, inbox=inbox, active_ms=1, reason=Reason.APPROVAL_NEEDED,
        waits=[wait], wake="any",
    )  # fmt: skip

    def park(connection: Connection) -> list[Any]:
        row = Park(move, [wait]).one(connection)
        return [row] if row else []

    return park


def one_behind_the_other(
    connect: Connect, first: Callable[[Connection], list[Any]], second: Callable[[Connection], list[Any]]
) -> tuple[list[Any], list[Any]]:
    """Hold the first transaction open until the second waits for its lock."""
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


def outcome_of(world: World, wait: NewWait) -> tuple[str | None, str | None]:
    sql = "SELECT outcome, decided_by FROM wait WHERE id = %s"
    row = world.connection.execute(sql, [wait.id]).fetchone()
    assert row is not None
    return row["outcome"], row["decided_by"]


def stands_of(world: World, made: Made) -> tuple[Any, ...]:
    row = world.row(made.id)
    return row["status"], row["lease_worker"], row["epoch"], row["pending_waits"]


def kept(world: World, made: Made) -> int:
    sql = "SELECT 1 FROM signal WHERE run_id = %s AND consumed_by IS NULL"
    return len(world.connection.execute(sql, [made.id]).fetchall())


def woken(bus: Deaf) -> list[str]:
    return [channel for channel, _ in bus.woken]
