"""The fair order between tenants: a tag is set once, at enqueue, by weight, and no later tag is lower."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from models.ids import new_id
from models.promotion import tickets
from models.runs.enqueue import NewRun, enqueue
from models.statement import Statement
from models.stored_event import StoredEvent
from scheduler.duties.housekeeping import Housekeeping
from tests.postgres.duel import Connection, Waiting, until_blocked
from tests.postgres.factory import World
from tests.postgres.stepping import do


@pytest.fixture
def queue(world: World) -> str:
    """Return a queue for this test only."""
    name = f"q-{new_id()}"
    world.insert("queue", {"name": name})
    return name


def _enqueue(world: World, tenant: str, queue: str, count: int = 1, **fields: object) -> list[NewRun]:
    runs = [NewRun(agent="echo", queue=queue, input="{}", **fields) for _ in range(count)]  # type: ignore[arg-type]
    assert len(enqueue(world.connection, tenant, runs)) == count
    return runs


def _tags(world: World, runs: list[NewRun]) -> list[float]:
    return [world.row(run.id)["fair_tag"] for run in runs]


def _order(world: World, queue: str, limit: int) -> list[str]:
    sql = "SELECT tenant FROM run WHERE queue = %s ORDER BY priority DESC, fair_tag, id LIMIT %s"
    return [row["tenant"] for row in world.connection.execute(sql, [queue, limit]).fetchall()]


def _promoted_up_to(world: World, queue: str, tag: float) -> None:
    """Promote a run with this tag: the queue's virtual time advances to it, but never back."""
    run = world.run("ready", tenant="somebody", queue=queue, fair_tag=tag)
    assert len(tickets.promote([run.id]).all(world.connection)) == 1


def test_runs_one_by_one_and_a_batch_take_the_same_tags(world: World, queue: str) -> None:
    singly = [tag for _ in range(5) for tag in _tags(world, _enqueue(world, "a", queue))]
    batch = _tags(world, _enqueue(world, "b", queue, 5))

    assert singly == batch == [1, 2, 3, 4, 5]


def test_a_single_run_overtakes_the_backlog_of_another_tenant(world: World, queue: str) -> None:
    _enqueue(world, "big", queue, 100)
    _enqueue(world, "small", queue)

    assert "small" in _order(world, queue, 2)


def test_tenants_share_by_weight(world: World, queue: str) -> None:
    world.insert("tenant_share", {"queue": queue, "tenant": "heavy", "weight": 3.0})
    _enqueue(world, "heavy", queue, 300)
    _enqueue(world, "light", queue, 300)

    assert Counter(_order(world, queue, 200)) == {"heavy": 150, "light": 50}


def test_a_new_tenant_starts_where_the_others_stand_and_cannot_claim_the_past(world: World, queue: str) -> None:
    _enqueue(world, "old", queue, 50)
    _promoted_up_to(world, queue, 40)

    assert _tags(world, _enqueue(world, "new", queue, 2)) == [41, 42]
    assert _tags(world, _enqueue(world, "old", queue)) == [51]


def test_a_tenant_that_was_away_gets_no_credit_for_it(world: World, queue: str) -> None:
    _enqueue(world, "a", queue)
    _promoted_up_to(world, queue, 90)

    assert _tags(world, _enqueue(world, "a", queue, 2)) == [91, 92]


def test_virtual_time_never_goes_back(world: World, queue: str) -> None:
    for tag in (7, 3, 5):
        _promoted_up_to(world, queue, tag)

    rows = world.connection.execute("SELECT priority, tag FROM virtual_time WHERE queue = %s", [queue]).fetchall()
    assert rows == [{"priority": 0, "tag": 7}]


def test_no_tag_of_a_tenant_goes_back_whatever_happens(world: World, queue: str) -> None:
    world.insert("tenant_share", {"queue": queue, "tenant": "a", "weight": 0.5})
    tags: list[float] = []
    for count, virtual_time in ((1, 0), (3, 100), (2, 1), (4, 90)):
        _promoted_up_to(world, queue, virtual_time)
        tags += _tags(world, _enqueue(world, "a", queue, count))

    assert tags == sorted(set(tags))
    assert tags[1] - tags[0] > 2
    assert tags[2] - tags[1] == 2


def test_priorities_are_fair_each_for_itself(world: World, queue: str) -> None:
    _enqueue(world, "a", queue, 10)
    [urgent] = _enqueue(world, "a", queue, priority=9)
    assert _tags(world, [urgent]) == [1]

    assert len(tickets.promote([urgent.id]).all(world.connection)) == 1
    assert _tags(world, _enqueue(world, "b", queue)) == [1], "what overtakes a backlog carries no time past it"
    assert _tags(world, _enqueue(world, "b", queue, priority=9)) == [2]


def test_a_batch_over_several_priorities_takes_its_tags_in_each(world: World, queue: str) -> None:
    runs = [NewRun(agent="echo", queue=queue, input="{}", priority=n) for n in (0, 5, 0, 5, -3)]
    rows = enqueue(world.connection, "a", runs)

    assert {row.run_id for row in rows} == {run.id for run in runs}
    assert _tags(world, runs) == [1, 1, 2, 2, 1]
    assert [world.row(run.id)["priority"] for run in runs] == [0, 5, 0, 5, -3]


def test_where_a_tenant_stood_is_forgotten_when_it_would_begin_where_the_others_are(own_world: World) -> None:
    _enqueue(own_world, "a", "q", 2)
    [run] = _enqueue(own_world, "b", "q")
    tickets.promote([run.id]).all(own_world.connection)
    do(Housekeeping(), own_world.connection)
    rows = own_world.connection.execute("SELECT tenant FROM tenant_tag").fetchall()
    assert rows == [{"tenant": "a"}], "whose runs wait keeps its place"
    assert _tags(own_world, _enqueue(own_world, "a", "q") + _enqueue(own_world, "b", "q")) == [3, 2]


def test_queues_are_fair_each_for_itself(world: World, queue: str) -> None:
    other = f"q-{new_id()}"
    _enqueue(world, "a", queue, 10)

    assert _tags(world, _enqueue(world, "a", other)) == [1]


def test_a_batch_over_several_queues_takes_its_tags_in_each(world: World, queue: str) -> None:
    other = f"q-{new_id()}"
    runs = [NewRun(agent="echo", queue=name, input="{}") for name in (queue, other, queue, other)]
    rows = enqueue(world.connection, "a", runs)

    assert {row.run_id for row in rows} == {run.id for run in runs}
    assert _tags(world, runs) == [1, 1, 2, 2]


def test_enqueues_of_one_tenant_wait_for_one_another_and_take_different_tags(
    world: World, connect: Callable[[], Connection], queue: str
) -> None:
    first, second = (NewRun(agent="echo", queue=queue, input="{}") for _ in range(2))
    holder, other, watcher = connect(), connect(), connect()
    holder.execute("BEGIN")
    enqueue(holder, "a", [first])

    def work(connection: Connection) -> list[StoredEvent]:
        return enqueue(connection, "a", [second])

    waiting = Waiting(other, work)
    until_blocked(watcher, waiting.pid, holder.info.backend_pid)
    holder.execute("COMMIT")

    assert len(waiting.rows()) == 1
    assert _tags(world, [first, second]) == [1, 2]


def test_a_promotion_and_a_resumption_keep_the_tag(world: World, queue: str) -> None:
    [run] = _enqueue(world, "a", queue)
    promotion = tickets.promote([run.id])
    [row] = Statement(promotion.sql, promotion.params).all(world.connection)

    assert row["tag"] == 1
