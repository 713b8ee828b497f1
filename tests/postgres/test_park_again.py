"""A park that was overtaken is tried again behind the lock of the run's row: it ends, however often news come."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from executor.activation.finish import record
from executor.activation.outcome import parked
from models import moves
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.runs import recording
from models.statement import Statement
from models.waiting import waits
from models.waiting.park import Park
from tests.postgres.duel import Connection, Waiting, until_blocked
from tests.postgres.factory import AGENT, World
from tests.postgres.run_actions import Office, Scene, activate, open_by_park, signal, word
from tests.rows import claim

T = TypeVar("T")
Connect = Callable[[], Connection]
CLAIM = claim(agent=AGENT, queue="default")


class Overtaken(Office):
    """A worker whose news are always outdated: more have come when it acts on them, as of children that end fast."""

    def __init__(self, connection: Connection, scene: Scene) -> None:
        super().__init__(connection)
        self._more = lambda: signal(scene, "news")(connection)
        self.looked = 0

    def read(self, statement: Statement[T]) -> list[T]:
        rows = super().read(statement)
        if statement.sql == recording.FENCED:
            self.looked += 1
            assert self._more() == "kept"
        return rows


def _scene(world: World, key: str = "word") -> Scene:
    wait = word(key)
    return Scene(world.run("executing"), wait, (wait,))


def _again(scene: Scene, *opened: NewWait) -> Park:
    """Request a park whose inbox was read long ago."""
    made = scene.made
    statement = moves.park(
        Verb.PAUSE_BY_AGENT,
        made.id,
        made.epoch,
        made.worker,
        inbox=-1,
        active_ms=1,
        reason=Reason.WAITING,
        waits=opened,
    )
    return Park(statement, opened, again=True)


def test_news_without_end_keep_no_run_from_parking(world: World) -> None:
    scene = _scene(world)
    assert signal(scene, "news")(world.connection) == "kept"
    office = Overtaken(world.connection, scene)

    said = record(office, scene.fence, CLAIM, parked(9, scene.opens), active_ms=1)  # type: ignore[arg-type]

    assert (said, office.looked) == ("parked:waiting", 1)
    row = world.row(scene.run)
    assert (row["status"], row["pending_waits"], row["inbox"]) == ("PAUSED", 1, 2)


def test_a_park_that_waits_for_the_news_of_others_takes_them_in(world: World, connect: Connect) -> None:
    scene, news, parking, watcher = _scene(world), connect(), connect(), connect()
    news.execute("BEGIN")
    assert waits.lock_run(scene.run, world.row(scene.run)["tenant"]).one(news)
    assert waits.keep_signal(scene.run, "word", payload="1", sender=None).one(news)

    waiting = Waiting(parking, lambda connection: [_again(scene, *scene.opens).one(connection) or {}])
    until_blocked(watcher, waiting.pid, news.info.backend_pid)
    news.execute("COMMIT")

    [row] = waiting.rows()
    assert [event.verb for event in row.events[1:]] == [Verb.RESUME], "the news are what it waits for"
    assert world.row(scene.run)["status"] == "RUNNING"


@pytest.mark.parametrize("key", ["word", ""])
def test_a_run_is_not_parked_for_what_is_over(world: World, key: str) -> None:
    scene, other = _scene(world, key), word("other")
    open_by_park(world.connection, scene)
    assert signal(scene)(world.connection) == "received"
    activate(world.connection, scene)

    assert _again(scene, other, *scene.opens).one(world.connection) is None
    assert world.row(scene.run)["lease_worker"] == scene.made.worker
    open_waits = "SELECT count(*) AS n FROM wait WHERE run_id = %s AND resolved_at IS NULL"
    assert world.connection.execute(open_waits, [scene.run]).fetchone() == {"n": 0}
    assert _again(scene, other).one(world.connection)
