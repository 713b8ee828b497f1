"""A connection to a peer that takes everything and answers nothing is closed, in every use of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from sqlalchemy import exc, text

from models.runtime import bounded_connection, database, engine
from models.runtime.settings import settings
from ops.chaos.link_loop import LinkLoop
from ops.chaos.proxy import Link, Mode, Streams


@pytest.fixture
def way(law_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LinkLoop, Link]]:
    """Return the link by which this process reaches its database."""
    board, server = LinkLoop(), urlsplit(law_url)
    folder = parse_qs(server.query)["host"][0]

    async def dial() -> Streams:
        return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")

    link = board.link(dial)
    monkeypatch.setenv("TAXIWAY_DATABASE_URL", f"postgresql://postgres@127.0.0.1:{link.port}{server.path}")
    monkeypatch.setattr(bounded_connection, "SECONDS", 0.5)
    settings.cache_clear()
    engine.engine.cache_clear()
    yield board, link
    engine.engine().dispose()
    settings.cache_clear()
    engine.engine.cache_clear()
    board.stop()


def test_a_silent_connection_is_closed_and_a_new_one_works(way: tuple[LinkLoop, Link]) -> None:
    board, link = way
    with database.connect("test") as connection:
        connection.execute("SELECT 1")
        board.do(link.switch, Mode.HOLE)
        with pytest.raises(psycopg.OperationalError, match="did not answer"):
            connection.execute("SELECT 1")
        assert connection.closed
    board.do(link.switch, Mode.PASS)
    with database.connect("test") as connection:
        assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def test_a_pipelined_group_is_given_up_too(way: tuple[LinkLoop, Link]) -> None:
    board, link = way
    with database.connect("test") as connection:
        board.do(link.switch, Mode.HOLE)
        with pytest.raises(psycopg.OperationalError):
            _execute_group(connection)
        assert connection.closed


def _execute_group(connection: database.Connection) -> None:
    with connection.pipeline(), connection.transaction():
        connection.execute("SELECT 1")
        connection.execute("SELECT 2")


def test_the_engine_replaces_a_silent_connection(way: tuple[LinkLoop, Link]) -> None:
    board, link = way
    with engine.engine().connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    board.do(link.switch, Mode.HOLE)
    board.do(link.switch, Mode.PASS)
    with engine.engine().connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1


def test_a_connection_of_the_engine_is_given_up_in_the_middle(way: tuple[LinkLoop, Link]) -> None:
    board, link = way
    with engine.engine().connect() as connection:
        connection.execute(text("SELECT 1"))
        board.do(link.switch, Mode.HOLE)
        with pytest.raises(exc.OperationalError):
            connection.execute(text("SELECT 1"))


def test_an_answer_that_takes_its_time_but_comes_is_waited_for(way: tuple[LinkLoop, Link]) -> None:
    with database.connect("test") as connection:
        began = time.monotonic()
        row = connection.execute("SELECT 1 AS one FROM pg_sleep(0.2)").fetchone()
        assert row == {"one": 1}
        assert time.monotonic() - began >= 0.2
