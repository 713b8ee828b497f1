"""Database access of a call: a session that reads, or a transaction whose statements come from `models`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import Engine
from sqlmodel import Session

from models.runtime.engine import engine
from models.runtime.settings import settings

# Plans are cached: one made while a table is small would scan it, and continue to scan it after the table has grown.
_BY_INDEX = "SET LOCAL enable_seqscan = off"


@lru_cache(maxsize=1)
def _snapshots(pool: Engine) -> Engine:
    return pool.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def reading(plan: str = "") -> Iterator[Session]:
    """Yield a session on one snapshot: a run is never shown with the status of one moment and the result of another.

    Its statements use indexes and are cancelled after `TAXIWAY_READ_TIMEOUT`. `plan` holds further SET LOCAL statements.
    """
    with Session(_snapshots(engine()), expire_on_commit=False) as session:
        _bound(driver(session), plan)
        yield session


def driver(session: Session) -> psycopg.Connection[Any]:
    """Return the psycopg connection of a session, inside its transaction."""
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection


def _bound(connection: psycopg.Connection[Any], plan: str = "") -> None:
    timeout = f"SET LOCAL statement_timeout = {round(settings().read_timeout * 1000)}"
    connection.execute(f"{timeout}; {_BY_INDEX}; {plan}".encode(), prepare=False)


@contextmanager
def snapshot() -> Iterator[psycopg.Connection[Any]]:
    """Yield a read-only psycopg connection on one snapshot, with the limits of `reading`."""
    with _snapshots(engine()).begin() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        _bound(driver)
        yield driver


@contextmanager
def transaction() -> Iterator[psycopg.Connection[Any]]:
    """Yield a psycopg connection inside a transaction: committed at the end, rolled back on an exception."""
    with engine().begin() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        yield driver
