"""A worker starts once the database is migrated, and once no worker that does not know its records serves its queue."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from executor.start_conditions import wait_for_older, wait_for_schema
from models.fleet import workers
from models.ids import liveness_key
from models.statement import Statement
from tests.postgres.factory import World


def _registered(world: World, queue: str, *, records: int) -> UUID:
    worker = uuid4()
    workers.register(
        worker, name=f"w-{worker}", host="h", pid=1, queue=queue, slots=1, liveness_key=liveness_key(worker), lease_s=60
    ).one(world.connection)
    world.connection.execute("UPDATE worker SET records = %s WHERE id = %s", [records, worker])
    return worker


def _leave(world: World, worker: UUID) -> None:
    workers.leave(worker).one(world.connection)


def _lapse(world: World, worker: UUID) -> None:
    world.connection.execute("UPDATE worker SET lease_until = now() WHERE id = %s", [worker])


def _pauses(world: World, queue: str, act: Callable[[], object]) -> int:
    """Return how often it paused; `act` is executed in the first pause."""
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == 2:
            act()

    def read(statement: Statement[str]) -> list[str]:
        return statement.all(world.connection)

    wait_for_older(queue, read, pause)
    return len(paused)


@pytest.mark.parametrize("end", [_leave, _lapse])
def test_it_waits_until_the_last_of_them_has_left_and_names_it(
    world: World, end: Callable[[World, UUID], None], capsys: pytest.CaptureFixture[str]
) -> None:
    queue = f"older-{uuid4()}"
    older = _registered(world, queue, records=workers.RECORDS - 1)
    assert _pauses(world, queue, lambda: end(world, older)) == 2
    said = capsys.readouterr()
    assert (said.out + said.err).count("worker.waits_for_older") == 1
    assert f"w-{older}" in said.out + said.err


def test_workers_of_its_own_kind_and_those_of_other_queues_are_not_waited_for(world: World) -> None:
    queue = f"older-{uuid4()}"
    _registered(world, queue, records=workers.RECORDS)
    _registered(world, f"{queue}-other", records=1)
    assert _pauses(world, queue, lambda: None) == 0


def test_a_worker_registers_as_one_that_knows_its_own_records(world: World) -> None:
    worker = uuid4()
    workers.register(
        worker, name="w", host="h", pid=1, queue="q", slots=1, liveness_key=liveness_key(worker), lease_s=60
    ).one(world.connection)
    row = world.connection.execute("SELECT records FROM worker WHERE id = %s", [worker]).fetchone()
    assert row == {"records": workers.RECORDS}


def test_it_waits_until_the_database_has_what_its_statements_call(
    own_world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    definition = own_world.connection.execute(
        "SELECT pg_get_functiondef(to_regprocedure('step_was_finished()')) AS sql"
    ).fetchone()
    assert definition
    own_world.connection.execute("DROP FUNCTION step_was_finished()")
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == 2:
            own_world.connection.execute(definition["sql"])

    wait_for_schema(lambda statement: statement.all(own_world.connection), pause)
    assert len(paused) == 2
    said = capsys.readouterr()
    assert (said.out + said.err).count("worker.waits_for_schema") == 1
    assert "alembic upgrade head" in said.out + said.err


def test_it_waits_for_no_schema_that_is_there(world: World) -> None:
    wait_for_schema(lambda statement: statement.all(world.connection), lambda _: pytest.fail("it waits"))
