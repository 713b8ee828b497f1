"""A prepared decision: one SQL statement with its parameters, executed immediately or in a group commit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from models.runtime.database import Row


@dataclass(frozen=True, slots=True)
class Statement:
    """One guarded statement. It returns a row if it decided, and no row if another transaction decided first."""

    sql: str
    params: Mapping[str, Any]

    def one(self, connection: psycopg.Connection[Any]) -> Row | None:
        """Execute it and return its row, or None if the guard did not hold."""
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(self.sql, self.params).fetchone()

    def all(self, connection: psycopg.Connection[Any]) -> list[Row]:
        """Execute it and return all its rows."""
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(self.sql, self.params).fetchall()
