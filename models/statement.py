"""One SQL statement with its parameters and the type of its rows; a caller or a group commit executes it.

The type belongs to the statement, because a group commit executes statements that it did not write. So a row is built
once, where it is read, and no dictionary leaves the folder that reads it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from functools import partial
from typing import Any, Generic, cast

import psycopg
from psycopg.rows import BaseRowFactory, dict_row, scalar_row
from typing_extensions import TypeVar

from models.runtime.database import Row

T_co = TypeVar("T_co", covariant=True, default=Row)

_DICTIONARIES: Any = dict


@dataclass(frozen=True, slots=True)
class Statement(Generic[T_co]):
    """One guarded statement. It returns a row if it decided, and none if another transaction decided first.

    `into` is a dataclass with the names of columns, or the type of the first column (`str`, `UUID`). Without it, rows are
    dictionaries, which stay within the folder that reads them.
    """

    sql: str
    params: Mapping[str, Any]
    into: type[T_co] = _DICTIONARIES

    @property
    def rows(self) -> BaseRowFactory[T_co]:
        """The factory of the rows of a cursor that executes this statement."""
        into: Any = self.into
        if is_dataclass(into):
            return partial(_objects, into)
        factory: Any = dict_row if into is dict else scalar_row
        return cast("BaseRowFactory[T_co]", factory)

    def one(self, connection: psycopg.Connection[Any]) -> T_co | None:
        """Execute it and return its row, or None if the guard did not hold."""
        with connection.cursor(row_factory=self.rows) as cursor:
            return cursor.execute(self.sql, self.params).fetchone()

    def all(self, connection: psycopg.Connection[Any]) -> list[T_co]:
        """Execute it and return all its rows."""
        with connection.cursor(row_factory=self.rows) as cursor:
            return cursor.execute(self.sql, self.params).fetchall()


def _objects(into: Any, cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], Any]:
    """Return the function that builds objects of a dataclass from the rows of a cursor."""
    names = [column.name for column in cursor.description or ()]
    known = into.__dataclass_fields__
    if all(name in known for name in names):
        return lambda values: into(**dict(zip(names, values, strict=True)))
    # `SELECT *` returns columns that this version does not know while a newer one has migrated the database already.
    places = [(name, place) for place, name in enumerate(names) if name in known]
    return lambda values: into(**{name: values[place] for name, place in places})
