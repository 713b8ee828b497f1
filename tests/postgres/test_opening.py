"""Waits are opened while their run executes: once, under its fence, and no signal, grant or decision is lost beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from executor.recorder.group_commit import Settled
from executor.recorder.recorder import Recorder
from models import moves
from models.authorization import grants
from models.authorization.grants import Given, Holder
from models.ids import new_id
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.runs.opening import Opened, Opening, opening
from models.runs.recording import Limits
from models.runtime.database import Row
from models.statement import Statement
from models.waiting import waits
from models.waiting.park import Park
from models.waiting.questions import authorization, question
from models.waiting.run_state import ResolvedWait
from models.waiting.wake import wake_run
from tests.postgres.calls import LIMITS, TENANT, fence
from tests.postgres.duel import Connection, Waiting, until_blocked
from tests.postgres.factory import Made, World
from tests.postgres.plans import own_database, scans_of
from tests.postgres.proxied import until
from tests.postgres.proxy import Proxy
from tests.postgres.recorders import Answers, Muted

Connect = Callable[[], Connection]


def _timer() -> NewWait:
    return NewWait("sleep#1", "timer", {}, 60_000, "elapsed")


def _ask(key: str = "approve#1", due_ms: int | None = None) -> NewWait:
    return question(key, {"prompt": "Ship it?"}, due_ms, "denied" if due_ms else None)


def _word(key: str = "word#1", name: str = "word") -> NewWait:
    return NewWait(key, "signal", {"signal": name})


def _only_time() -> list[NewWait]:
    return [_timer()]


def _people_and_words() -> list[NewWait]:
    return [_ask(), _word()]


def _login(holder: Holder, key: str = "login#1") -> NewWait:
    request = {"provider": holder.provider, "subject": holder.subject, "scopes": ["read"]}
    return authorization(key, request, None, None, holder)


def _open(made: Made, *new: NewWait, n: int = 1, limits: Limits = LIMITS) -> Statement | Opening:
    return opening(fence(made), n, new, limits, None)


def _opened(connection: psycopg.Connection[Any], made: Made, *new: NewWait, n: int = 1) -> Opened:
    with connection.transaction():
        row = _open(made, *new, n=n).one(connection)
    assert row is not None
    return row


def _waits(world: World, made: Made) -> dict[str, Row]:
    rows = world.connection.execute("SELECT * FROM wait WHERE run_id = %s ORDER BY id", [made.id]).fetchall()
    assert len({row["key"] for row in rows}) == len(rows), "no key has two waits"
    return {row["key"]: row for row in rows}


def _said(world: World, made: Made) -> list[tuple[str, str, str | None]]:
    events = world.events(made.id)
    assert [event["seq"] for event in events] == list(range(1, world.row(made.id)["seq"] + 1))
    return [(event["type"], event["status"], event["data"].get("waitId")) for event in events if event["verb"] is None]


def _decide(connection: Connection, made: Made, wait: UUID, outcome: str = "approved") -> list[ResolvedWait]:
    with connection.transaction():
        run_state = waits.lock_run(made.id, TENANT).one(connection)
        assert run_state is not None
        over = waits.decide(made.id, wait, outcome=outcome, by="ann").all(connection)
        wake_run(connection, run_state, over)
    return over


def _signal(connection: Connection, made: Made, name: str = "word") -> list[ResolvedWait]:
    with connection.transaction():
        assert waits.lock_run(made.id, TENANT).one(connection)
        waits.keep_signal(made.id, name, payload='"hi"', sender=None).one(connection)
        return waits.deliver(made.id).all(connection)


def test_people_are_asked_while_the_run_executes_each_by_one_event(world: World) -> None:
    made, first, second = world.run("executing"), _ask(due_ms=60_000), _ask("approve#2")
    row = _opened(world.connection, made, first, _timer(), second)

    assert _said(world, made) == [("run_approval", "RUNNING", str(wait.id)) for wait in (first, second)]
    assert [event.type for event in row.events] == ["run_approval", "run_approval"]
    run, opened = world.row(made.id), _waits(world, made)
    assert (run["status"], run["recorded_n"], run["inbox"]) == ("RUNNING", 1, 0)
    assert {(wait["epoch"], wait["wake"], wait["outcome"]) for wait in opened.values()} == {(made.epoch, "any", None)}
    assert opened["approve#1"]["due_at"] == opened["sleep#1"]["due_at"]
    assert opened["approve#1"]["nonce"] == first.nonce


def test_what_nobody_answers_is_opened_by_one_statement(world: World) -> None:
    made = world.run("executing")
    item = _open(made, _timer())
    assert isinstance(item, Statement)
    assert item.one(world.connection) is not None
    assert _said(world, made) == []
    assert set(_waits(world, made)) == {"sleep#1"}


@pytest.mark.parametrize("make", [_only_time, _people_and_words], ids=["statement", "transaction"])
def test_a_fence_that_is_passed_opens_nothing(world: World, make: Callable[[], list[NewWait]]) -> None:
    made, new = world.run("executing"), make()
    before = world.whole(made.id)
    for other in (replace(made, epoch=made.epoch - 1), replace(made, worker=new_id())):
        assert _open(other, *new).one(world.connection) is None
    assert world.whole(made.id) == before


@pytest.mark.parametrize("situation", ["ready", "paused for approval", "paused by user", "succeeded"])
def test_a_run_that_nobody_executes_opens_nothing(world: World, situation: str) -> None:
    made = world.run(situation)
    before = world.whole(made.id)
    assert _open(made, _ask()).one(world.connection) is None
    assert world.whole(made.id) == before


def test_an_item_is_not_opened_twice(world: World) -> None:
    made = world.run("executing")
    _opened(world.connection, made, _ask())
    before = world.whole(made.id)
    assert _open(made, _ask("approve#2")).one(world.connection) is None
    assert world.whole(made.id) == before


def test_what_waits_ask_counts_once_against_what_a_run_may_record(world: World) -> None:
    made, asked = world.run("executing"), NewWait("user#1", "user", {"prompt": "x" * 300})
    assert _open(made, asked, limits=Limits(10, 300)).one(world.connection) is None
    _opened(world.connection, made, asked)
    size = world.row(made.id)["recorded_bytes"]
    _opened(world.connection, made, replace(asked, id=new_id()), n=2)
    assert 300 < size == world.row(made.id)["recorded_bytes"]


def test_a_wait_of_an_earlier_activation_is_taken_over_with_its_link(world: World) -> None:
    made, asked = world.run("executing"), _ask()
    _opened(world.connection, made, asked)
    world.connection.execute("UPDATE run SET epoch = epoch + 1, recorded_n = 0 WHERE id = %s", [made.id])
    row = _opened(world.connection, replace(made, epoch=made.epoch + 1), replace(asked, id=new_id(), nonce="other"))

    wait = _waits(world, made)["approve#1"]
    assert (wait["id"], wait["nonce"], wait["epoch"]) == (asked.id, asked.nonce, made.epoch + 1)
    assert len(_said(world, made)) == 1, "nobody is asked twice"
    assert row.over is False


def test_a_wait_that_is_over_is_left_alone_and_that_is_said(world: World) -> None:
    made, asked = world.run("executing"), _ask()
    _opened(world.connection, made, asked)
    assert _decide(world.connection, made, asked.id)
    row = _opened(world.connection, made, replace(asked, id=new_id()), n=2)
    assert row.over is True
    assert _waits(world, made)["approve#1"]["outcome"] == "approved"


def test_a_signal_that_was_kept_ends_its_wait_and_that_is_news(world: World) -> None:
    made = world.run("executing")
    assert _signal(world.connection, made) == []
    row = _opened(world.connection, made, _word(), _word("word#2"))

    opened = _waits(world, made)
    assert [opened[key]["outcome"] for key in ("word#1", "word#2")] == ["received", None]
    assert row.over is True
    assert world.row(made.id)["inbox"] == 2, "a park that is on its way learns of it"
    assert _signal(world.connection, made)[0].key == "word#2"


def test_a_grant_that_is_there_ends_an_authorization_and_asks_nobody(world: World) -> None:
    made, holder = world.run("executing"), Holder(TENANT, f"u-{new_id()}", "bank")
    grants.store(holder, Given("sealed", ("read",), refreshable=True, expires_in=None), world.provider()).one(
        world.connection
    )
    row = _opened(world.connection, made, _login(holder), _ask())

    assert _waits(world, made)["login#1"]["outcome"] == "authorized"
    assert [kind for kind, *_ in _said(world, made)] == ["run_approval"]
    assert row.over is True


def test_a_missing_grant_is_asked_for_by_its_own_event(world: World) -> None:
    made, login = world.run("executing"), _login(Holder(TENANT, f"u-{new_id()}", "bank"))
    row = _opened(world.connection, made, login)
    assert _said(world, made) == [("authentication", "RUNNING", str(login.id))]
    assert row.over is False


def test_a_grant_that_comes_late_ends_what_people_were_asked_before(world: World) -> None:
    made, holder = world.run("executing"), Holder(TENANT, f"u-{new_id()}", "bank")
    login = _login(holder)
    _opened(world.connection, made, login)
    grants.store(holder, Given("sealed", ("read",), refreshable=True, expires_in=None), world.provider()).one(
        world.connection
    )
    _opened(world.connection, made, _login(holder, "login#2"), n=2)

    assert {wait["outcome"] for wait in _waits(world, made).values()} == {"authorized"}
    assert _said(world, made) == [("authentication", "RUNNING", str(login.id))] * 2, (
        "asked, then over; the second: neither"
    )


def test_a_signal_and_an_opening_that_meet_find_one_another(world: World, connect: Connect) -> None:
    for signal_first in (True, False):
        made, holder, other = world.run("executing"), connect(), connect()
        acts: list[Callable[[Connection], list[Any]]] = [
            lambda connection, made=made: _signal(connection, made),
            lambda connection, made=made: [_opened(connection, made, _word())],
        ]
        first, second = acts if signal_first else reversed(acts)
        holder.execute("BEGIN")
        first(holder)
        waiting = Waiting(other, second)
        until_blocked(world.connection, waiting.pid, holder.info.backend_pid)
        holder.execute("COMMIT")
        waiting.rows()
        assert _waits(world, made)["word#1"]["outcome"] == "received"


def test_a_decision_and_a_new_activation_that_take_a_wait_at_once_leave_it_one_outcome(
    world: World, connect: Connect
) -> None:
    for decision_first in (True, False):
        made, asked, holder, other = world.run("executing"), _ask(), connect(), connect()
        _opened(world.connection, made, asked)
        acts: list[Callable[[Connection], list[Any]]] = [
            lambda connection, made=made, asked=asked: _decide(connection, made, asked.id),
            lambda connection, made=made, asked=asked: [
                _opened(connection, made, replace(asked, id=new_id()), _word(), n=2)
            ],
        ]
        first, second = acts if decision_first else reversed(acts)
        holder.execute("BEGIN")
        first(holder)
        waiting = Waiting(other, second)
        until_blocked(world.connection, waiting.pid, holder.info.backend_pid)
        holder.execute("COMMIT")
        [row] = waiting.rows()
        if decision_first:
            assert row.over is True, "the activation learns that an outcome is there"
        assert _waits(world, made)["approve#1"]["outcome"] == "approved"
        run = world.row(made.id)
        assert (run["status"], run["inbox"]) == ("RUNNING", 1)


def test_a_park_takes_over_what_was_opened_and_tells_only_what_is_new(world: World) -> None:
    made, asked, new = world.run("executing"), _ask(), _ask("approve#2")
    _opened(world.connection, made, asked, _word())
    park = moves.park(
        Verb.AWAIT_APPROVAL, made.id, made.epoch, made.worker, inbox=0, active_ms=1, reason=Reason.APPROVAL_NEEDED,
        waits=[replace(asked, id=new_id()), new], wake="all",
    )  # fmt: skip
    with world.connection.transaction():
        row = Park(park, [asked, new]).one(world.connection)
    assert row is not None
    told = _said(world, made)
    assert [wait for _, _, wait in told] == [str(asked.id), str(new.id)]
    opened = _waits(world, made)
    assert [(opened[key]["wake"], opened[key]["epoch"]) for key in ("approve#1", "approve#2")] == [
        ("all", made.epoch)
    ] * 2
    assert opened["word#1"]["epoch"] == made.epoch - 1, "what the park does not name wakes nobody"
    _decide(world.connection, made, asked.id)
    assert world.row(made.id)["pending_waits"] == 1


def test_a_run_that_is_parked_for_its_code_is_not_woken_by_what_its_agent_had_opened(world: World) -> None:
    made, asked = world.run("executing"), _ask()
    _opened(world.connection, made, asked)
    code = NewWait("code", "code", {"message": "changed"})
    park = moves.park(
        Verb.PAUSE_BY_AGENT, made.id, made.epoch, made.worker, inbox=0, active_ms=1, reason=Reason.CODE_MISMATCH, waits=[code]
    )  # fmt: skip
    assert park.one(world.connection) is not None
    assert _decide(world.connection, made, asked.id)
    assert world.row(made.id)["status"] == "PAUSED"


@pytest.mark.parametrize("make", [_only_time, _people_and_words], ids=["statement", "transaction"])
def test_an_opening_whose_answer_was_lost_is_there_once(
    world: World, recorder: Recorder, proxy: Proxy, make: Callable[[], list[NewWait]]
) -> None:
    made, answers, new = world.run("executing"), Answers(), make()
    item = Muted(_open(made, *new), proxy)
    recorder.put(made.id, item, answers.of(1), fence=fence(made), n=1, alone=True)
    until(lambda: world.row(made.id)["recorded_n"] == 1, "it is committed")
    proxy.muted = False
    proxy.cut()
    [(_, answer)] = answers.wait(1)
    assert isinstance(answer, Settled)
    assert item.tried == 1
    assert len(_waits(world, made)) == len(new)
    assert len(_said(world, made)) == len(new) - 1


@pytest.mark.parametrize("first_day", [True, False])
def test_waits_of_a_run_are_found_by_its_key(servers: Any, template_database: str, first_day: bool) -> None:
    with own_database(servers, template_database) as world:
        runs = [world.run("executing", tenant=f"t{n % 5}") for n in range(5 if first_day else 200)]
        for made in runs:
            _opened(world.connection, made, *(_word(f"word#{n}") for n in range(5 if first_day else 50)))
        world.connection.execute("VACUUM ANALYZE")
        world.connection.execute("SET enable_seqscan = off")
        item = _open(runs[0], _word(), _ask(), n=2)
        assert isinstance(item, Opening)
        for generic in (True, False):
            scans = scans_of(world, item.statement.sql, item.statement.params, generic=generic)
            assert scans["run"] == {"run_pkey"}
            assert scans["wait"] <= {"wait_run", "wait_one_open_per_key"}
            since = {"run": runs[0].id, "since": 0.0}
            assert scans_of(world, waits.SETTLED_SINCE, since, generic=generic)["wait"] == {"wait_run"}
