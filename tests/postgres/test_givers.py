"""A grant belongs to its provider: another provider of the same name neither renews it nor gives it to a run."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from executor.activation.grant_requests import LOST, Asked, Authorizations, Granted
from models.authorization import grants
from models.authorization.grants import Given, Holder
from models.authorization.oauth_client import Tokens
from models.statement import Statement
from models.waiting import waits
from tests.postgres.duel import Waiting, until_blocked
from tests.postgres.factory import TENANT, World
from tests.postgres.proxied import settings_of, until

Connect = Callable[[], psycopg.Connection[dict[str, Any]]]
KEY = "k" * 40


@pytest.fixture
def holder() -> Holder:
    return Holder(TENANT, "ann", f"bank-{uuid4()}")


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """Return a server that must receive no connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server
        assert select.select([server], [], [], 0)[0] == [], "tokens were on their way there"


def _given(*, expires_in: float = 3600) -> Given:
    return Given("v1.sealed", ("read",), refreshable=True, expires_in=expires_in)


def _live(world: World, holder: Holder) -> bool:
    row = grants.held(holder).one(world.connection)
    assert row is not None
    return bool(row.live)


def _asked(world: World, holder: Holder) -> Any:
    """Open a run's wait for the grant, as it is when people are asked."""
    made, wait = world.run("auth required"), uuid4()
    request = f'{{"provider": "{holder.provider}", "subject": "ann", "scopes": ["read"]}}'
    values = {"id": wait, "run_id": made.id, "tenant": TENANT, "key": "a", "kind": "authorization", "epoch": made.epoch}
    world.insert("wait", {**values, "request": request, "grant_key": holder.key, "nonce": "n"})
    return made


@pytest.mark.parametrize("column", ["token_url", "client_id"])
def test_a_grant_is_live_while_its_giver_is_there(world: World, holder: Holder, column: str) -> None:
    giver = world.provider(holder.provider)
    assert grants.store(holder, _given(), giver).one(world.connection) is not None
    assert _live(world, holder)
    change = f"UPDATE provider SET {column} = %s WHERE name = %s"
    world.connection.execute(change, ["https://elsewhere.example", holder.provider])
    assert not _live(world, holder)
    world.connection.execute("DELETE FROM provider WHERE name = %s", [holder.provider])
    assert not _live(world, holder), "what is gone may come back as another"
    world.provider(holder.provider)
    assert _live(world, holder), "the giver is back"
    world.connection.execute(
        'UPDATE "grant" SET token_url = NULL, client_id = NULL WHERE provider = %s', [holder.provider]
    )
    assert not _live(world, holder), "a grant that is bound to nothing has no giver"


def test_a_run_is_not_resumed_by_a_grant_of_another_giver(world: World, holder: Holder) -> None:
    grants.store(holder, _given(), world.provider(holder.provider)).one(world.connection)
    world.provider(holder.provider, at="elsewhere")
    made = _asked(world, holder)
    assert waits.authorize(made.id).all(world.connection) == []
    assert grants.tell_others(world.connection, holder, uuid4()) == 0
    world.provider(holder.provider)
    assert grants.tell_others(world.connection, holder, uuid4()) == 1
    assert len(waits.authorize(made.id).all(world.connection)) == 1


def test_what_another_giver_gave_is_stored_by_nobody(world: World, holder: Holder) -> None:
    old = world.provider(holder.provider)
    new = world.provider(holder.provider, at="elsewhere")
    assert grants.store(holder, _given(), new).one(world.connection) is not None
    assert grants.store(holder, _given(), old).one(world.connection) is None
    held = grants.held(holder).one(world.connection)
    assert held is not None
    assert held.giver == new


def test_a_consent_that_meets_a_change_of_the_provider_stores_nothing(
    world: World, holder: Holder, connect: Connect
) -> None:
    giver = world.provider(holder.provider)
    changing, storing, watcher = connect(), connect(), connect()
    changing.execute("BEGIN")
    World(changing).provider(holder.provider, at="elsewhere")
    waiting = Waiting(storing, lambda connection: grants.store(holder, _given(), giver).all(connection))
    until_blocked(watcher, waiting.pid, changing.info.backend_pid)
    changing.execute("COMMIT")
    assert waiting.rows() == []
    assert grants.held(holder).one(world.connection) is None


T = TypeVar("T")


class Worker:
    """The part of a worker that answers for grants, over the shared database."""

    def __init__(self, url: str) -> None:
        self._reading = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        self.grants = Authorizations(KEY, self._read)

    def _read(self, statement: Statement[T]) -> list[T]:
        return statement.all(self._reading)

    def token(self, holder: Holder) -> Granted:
        return self.grants.answered(Asked("token", holder, ("read",)))

    def stop(self) -> None:
        self.grants.stop()
        self._reading.close()


@pytest.fixture
def worker(law_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    with settings_of(monkeypatch, DATABASE_URL=law_url, SECRET_KEY=KEY):
        worker = Worker(law_url)
        yield worker
        worker.stop()


def _stored(world: World, holder: Holder, *, expires_in: float) -> None:
    given = Tokens("old access", "old refresh", ("read",), expires_in).sealed(KEY, holder, ())
    grants.store(holder, given, world.provider(holder.provider)).one(world.connection)


def _move(world: World, holder: Holder, server: socket.socket) -> None:
    world.connection.execute(
        "UPDATE provider SET token_url = %s WHERE name = %s",
        [f"http://127.0.0.1:{server.getsockname()[1]}/token", holder.provider],
    )


@pytest.mark.parametrize("expires_in", [3600, -1])
def test_a_worker_gives_no_token_of_another_giver_and_sends_it_nowhere(
    world: World, holder: Holder, worker: Worker, elsewhere: socket.socket, expires_in: float
) -> None:
    _stored(world, holder, expires_in=expires_in)
    _move(world, holder, elsewhere)
    assert worker.token(holder) == LOST
    assert worker.grants.answered(Asked("lost", holder, ("read",))) == LOST
    world.provider(holder.provider)
    assert _live(world, holder), "what no step has tried is not given up"


def test_the_address_of_a_renewal_is_the_one_that_was_compared(
    world: World, holder: Holder, worker: Worker, connect: Connect, elsewhere: socket.socket
) -> None:
    """The provider changes between the read of the grant and the renewal, which waits for the grant's row."""
    _stored(world, holder, expires_in=-1)
    holding, answers = connect(), list[Granted]()
    holding.execute("BEGIN")
    grants.hold(holder).one(holding)
    worker.grants.ask(Asked("token", holder, ("read",)), answers.append)
    waits_for = "SELECT TRUE AS waits FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
    pid = holding.info.backend_pid
    until(lambda: world.connection.execute(waits_for, [pid]).fetchone(), "the renewal waits")
    _move(world, holder, elsewhere)
    holding.execute("COMMIT")
    until(lambda: answers, "it is answered")
    assert answers == [LOST]
