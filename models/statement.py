"""A prepared decision: one SQL statement with its parameters, executed now or inside somebody's group commit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from models.runtime.database import Row


@dataclass(frozen=True, slots=True)
class Statement:
    """One guarded statement. It yields a row when it decided, and none when somebody else decided first."""

    sql: str
    params: Mapping[str, Any]

    def one(self, connection: psycopg.Connection[Any]) -> Row | None:
        """Execute it and give its row, or None when the guard did not hold."""
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(self.sql, self.params).fetchone()

    def all(self, connection: psycopg.Connection[Any]) -> list[Row]:
        """Execute it and give all its rows."""
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(self.sql, self.params).fetchall()
