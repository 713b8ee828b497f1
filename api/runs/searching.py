"""Searches a tenant's runs for as long as one call may: a page may be short, or empty, and still say where to go on."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row

from models.runs.search import Search
from models.statement import Statement
from models.tables.run import Run

MOST_LOOKED_AT = 10_000
"""Entries of an index that one call reads."""
ENOUGH_SECONDS = 0.02
"""After this no further stretch begins: one of them may have to be fetched from a disk."""


@dataclass(frozen=True, slots=True)
class Found:
    """The runs of one page, and below which id the next one begins; None: there are no more."""

    runs: Sequence[Run]
    below: UUID | None


def search(connection: psycopg.Connection[Any], wanted: Search, below: UUID, limit: int) -> Found:
    """Give the newest runs below an id that are meant, at most `limit`."""
    began, looked = time.monotonic(), 0
    runs: list[Run] = []
    while True:
        runs += _read(connection, wanted.find(below, limit + 1 - len(runs)))
        if len(runs) > limit:
            return Found(runs[:limit], runs[limit - 1].id)
        reached = wanted.reached(below).one(connection)
        if reached is None:
            return Found(runs, None)
        below, looked = reached, looked + wanted.entries
        if looked >= MOST_LOOKED_AT or time.monotonic() - began > ENOUGH_SECONDS:
            return Found(runs, below)


def _read(connection: psycopg.Connection[Any], statement: Statement[Any]) -> list[Run]:
    """Give rows that read like runs: to make them runs would take as long as all else about a page."""
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        return cast("list[Run]", cursor.execute(statement.sql, statement.params).fetchall())
