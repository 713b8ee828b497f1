"""Search of a tenant's runs within the budget of one call: a page may be short or empty and still say where to continue."""

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
"""Limit of the index entries that one call reads."""
ENOUGH_SECONDS = 0.02
"""After this time no further stretch starts: a stretch may have to be read from disk."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The runs of one page, and the id below which the next page starts; None on the last page."""

    runs: Sequence[Run]
    below: UUID | None


def search_page(connection: psycopg.Connection[Any], wanted: Search, below: UUID, limit: int) -> SearchPage:
    """Return the newest runs below an id that match, at most `limit`."""
    began, looked = time.monotonic(), 0
    runs: list[Run] = []
    while True:
        runs += _read(connection, wanted.find(below, limit + 1 - len(runs)))
        if len(runs) > limit:
            return SearchPage(runs[:limit], runs[limit - 1].id)
        reached = wanted.reached(below).one(connection)
        if reached is None:
            return SearchPage(runs, None)
        below, looked = reached, looked + wanted.entries
        if looked >= MOST_LOOKED_AT or time.monotonic() - began > ENOUGH_SECONDS:
            return SearchPage(runs, below)


def _read(connection: psycopg.Connection[Any], statement: Statement[Any]) -> list[Run]:
    """Return rows that read like runs: building Run objects would take as long as the rest of a page."""
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        return cast("list[Run]", cursor.execute(statement.sql, statement.params).fetchall())
