"""Gives a call its database: a session to read with, or a transaction whose statements come from `models`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import Engine
from sqlmodel import Session

from models.database import engine


@lru_cache(maxsize=1)
def _snapshots(pool: Engine) -> Engine:
    return pool.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def reading() -> Iterator[Session]:
    """Give a session that sees one moment: a run is never shown with the status of one and the result of another."""
    with Session(_snapshots(engine()), expire_on_commit=False) as session:
        yield session


@contextmanager
def snapshot() -> Iterator[psycopg.Connection[Any]]:
    """Give a psycopg connection that only reads, and sees one moment; its statements find their rows by indexes.

    A plan is kept: made while a table is small, it would read the whole table, and go on doing so when that has grown.
    """
    with _snapshots(engine()).begin() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        driver.execute("SET LOCAL enable_seqscan = off")
        yield driver


@contextmanager
def transaction() -> Iterator[psycopg.Connection[Any]]:
    """Give a psycopg connection inside a transaction: committed at the end, rolled back on an exception."""
    with engine().begin() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        yield driver
