"""Children are started together with their record or not at all, once, within the run's limits, and never after a cancel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from executor.recorder.group_commit import Settled
from executor.recorder.recorder import Recorder
from models import moves
from models.lifecycle import Reason
from models.runs import children
from models.runs.children import Spawn
from models.runs.enqueue import NewRun
from models.runs.recording import Limits
from models.runtime.database import Connection, Row
from models.stored_event import Written
from scheduler.duties.outbox import Outbox
from tests.postgres.calls import LIMITS, TENANT, fence, record
from tests.postgres.conftest import Connect
from tests.postgres.duel import Waiting, until_blocked
from tests.postgres.factory import AGENT, Made, World
from tests.postgres.proxied import Deaf, proxy_to, settings_of, through, until
from tests.postgres.proxy import Proxy
from tests.postgres.stepping import do


def spawn(made: Made, n: int = 1, count: int = 2, key: str = "spawn:echo##1", **options: Any) -> Spawn:
    born = [NewRun(AGENT, "default", f'{{"n": {place}}}', parent_key=f"{key}/{place}") for place in range(count)]
    step = record(key, value=json.dumps([str(child.id) for child in born]))
    return Spawn(fence(made), n, step, born, **{"limits": LIMITS, "most_children": 10, "most_levels": 3, **options})


def _tried(connection: psycopg.Connection[Any], decision: Spawn) -> Written | None:
    """Decide in a transaction, as a lane does."""
    with connection.transaction():
        return decision.one(connection)
    return None


def _children(world: World, made: Made) -> list[Row]:
    return world.connection.execute("SELECT * FROM run WHERE parent_run_id = %s ORDER BY id", [made.id]).fetchall()


def _steps(world: World, made: Made) -> list[Row]:
    return world.connection.execute("SELECT * FROM step WHERE run_id = %s", [made.id]).fetchall()


def test_children_inherit_and_are_recorded_as_the_value_of_a_step(world: World) -> None:
    made = world.run("executing", user_id="u-1", priority=4, approval_strategy="ON_TOOL_CALL")
    world.insert("label", {"run_id": made.id, "tenant": TENANT, "kind": "tag", "name": "nightly"})
    world.insert("label", {"run_id": made.id, "tenant": TENANT, "kind": "metadata", "name": "team", "value": "a"})
    row = _tried(world.connection, spawn(made))
    assert row is not None
    assert (row.events[0].type, [event.status for event in row.events[1:]]) == ("step", ["QUEUED", "QUEUED"])
    [step], born = _steps(world, made), _children(world, made)
    assert [str(child["id"]) for child in born] == step["value"]
    for child in born:
        assert (child["user_id"], child["priority"], child["approval_strategy"]) == ("u-1", 4, "ON_TOOL_CALL")
        labels = world.connection.execute("SELECT kind, name FROM label WHERE run_id = %s", [child["id"]]).fetchall()
        assert labels == [{"kind": "tag", "name": "nightly"}]
    assert (world.row(made.id)["children"], world.row(made.id)["step_count"]) == (2, 1)


def test_people_who_let_a_run_begin_are_not_asked_for_each_of_its_children(world: World) -> None:
    made = world.run("executing", approval_strategy="ON_START", priority=4)
    decision = spawn(made, own_priority=True)
    assert _tried(world.connection, replace(decision, children=[replace(decision.children[0], priority=0)]))
    [child] = _children(world, made)
    assert (child["approval_strategy"], child["priority"]) == ("NONE", 0)


@pytest.mark.parametrize(
    "options",
    [
        {"limits": Limits(steps=0, recorded_bytes=10_000)},
        {"limits": Limits(steps=10, recorded_bytes=10)},
        {"most_children": 1},
    ],
)
def test_a_limit_that_is_reached_starts_nothing(world: World, options: dict[str, Any]) -> None:
    made = world.run("executing")
    before = world.whole(made.id)
    assert _tried(world.connection, spawn(made, **options)) is None
    assert (_children(world, made), world.whole(made.id)) == ([], before)


def test_runs_start_runs_only_so_many_levels_deep(world: World) -> None:
    """Otherwise an agent that starts itself would never end."""
    made = world.run("executing")
    for _ in range(2):
        below = world.run("executing", parent_run_id=made.id)
        assert _tried(world.connection, spawn(made))
        made = below
    assert _tried(world.connection, spawn(made)), "the third level below the first"
    deepest = world.run("executing", parent_run_id=made.id)
    before = world.whole(deepest.id)
    assert _tried(world.connection, spawn(deepest)) is None
    assert (world.whole(deepest.id), _children(world, deepest)) == (before, [])
    world.connection.execute("SET enable_seqscan = off")  # as on the connections of workers
    plan = str(world.connection.execute(f"EXPLAIN {children._LEVEL}", {"run": made.id, "most": 3}).fetchall())
    world.connection.execute("RESET enable_seqscan")
    assert plan.count("Index Scan using run_pkey") == 2, plan


def test_nothing_is_started_past_the_fence_or_twice(world: World) -> None:
    made = world.run("executing")
    late = replace(made, epoch=made.epoch - 1)
    assert _tried(world.connection, spawn(late)) is None
    assert _tried(world.connection, spawn(made))
    assert _tried(world.connection, spawn(made)) is None, "the item of this number was committed"
    with pytest.raises(psycopg.DatabaseError, match="finished before"):
        _tried(world.connection, spawn(made, n=2))
    assert (len(_children(world, made)), world.row(made.id)["children"]) == (2, 2)


@pytest.mark.parametrize("cancel_first", [True, False])
def test_no_child_that_is_started_while_its_parent_is_canceled_is_missed(
    world: World, connect: Connect, cancel_first: bool
) -> None:
    """The cancel that does not wait for the worker: it takes the run from it, with the children that were started before."""
    made = world.run("overdue")
    overdue = moves.cancel_overdue(made.id, in_flight=None)
    first, second, watcher = connect(), connect(), connect()

    def start(connection: Connection) -> list[Written]:
        row = spawn(made).one(connection)
        return [row] if row else []

    works = (overdue.all, start) if cancel_first else (start, overdue.all)
    first.execute("BEGIN")
    assert len(works[0](first)) == 1
    second.execute("BEGIN")
    waiting = Waiting(second, works[1])
    until_blocked(watcher, waiting.pid, first.info.backend_pid)
    first.execute("COMMIT")
    assert len(waiting.rows()) == (0 if cancel_first else 1)
    second.execute("COMMIT")
    duty = Outbox(1.0)
    do(duty, world.connection)
    born = _children(world, made)
    assert [child["status"] for child in born] == ([] if cancel_first else ["CANCELED"] * 2)
    assert world.row(made.id)["status"] == "CANCELED"


def test_a_child_that_goes_on_as_another_run_while_it_is_looked_for_is_canceled_too(
    world: World, connect: Connect
) -> None:
    parent = world.run("paused by agent", children=1)
    child = world.run("executing", parent_run_id=parent.id, parent_key="a")
    assert moves.cancel_idle(parent.id, TENANT, reason=Reason.BY_USER, by="ann", comment=None).one(world.connection)
    ending = connect()
    ending.execute("BEGIN")
    ending.execute("UPDATE run SET continued_as = gen_random_uuid() WHERE id = %s", [child.id])
    assert moves.succeed(child.id, child.epoch, child.worker, n=1, result="null", active_ms=1).one(ending)
    other = World(ending).run("queued", parent_run_id=parent.id, parent_key="a")
    duty = Outbox(1.0)
    do(duty, world.connection)
    ending.execute("COMMIT")
    duty._next = 0.0
    do(duty, world.connection)
    assert (world.row(child.id)["status"], world.row(other.id)["status"]) == ("SUCCESS", "CANCELED")


@pytest.fixture
def proxy(law_url: str) -> Iterator[Proxy]:
    with proxy_to(law_url) as proxy:
        yield proxy


class Muting:
    """A decision whose commit is never acknowledged."""

    def __init__(self, decision: Spawn, proxy: Proxy) -> None:
        self.decision, self.proxy, self.tried = decision, proxy, 0

    def one(self, connection: Connection) -> Written | None:
        self.tried += 1
        row = self.decision.one(connection)
        self.proxy.muted = self.tried == 1
        return row


def test_children_whose_acknowledgement_was_lost_are_started_once(
    world: World, proxy: Proxy, law_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, answers = world.run("executing"), []
    with settings_of(monkeypatch, DATABASE_URL=through(proxy, law_url)):
        recorder = Recorder(Deaf())  # type: ignore[arg-type]  # the only part of a bus that a recorder uses
        recorder.start()
        decision = Muting(spawn(made), proxy)
        recorder.put(made.id, decision, answers.append, fence=fence(made), n=1, alone=True)
        until(lambda: len(_children(world, made)) == 2, "it is committed")
        proxy.muted = False
        proxy.cut()
        until(lambda: answers, "it is answered")
        recorder.stop(5)
    assert isinstance(answers[0], Settled)
    assert (len(_children(world, made)), decision.tried) == (2, 1)
