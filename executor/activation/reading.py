"""Reads of the database by an activation, all on the worker's one reading connection."""

from typing import Protocol, TypeVar

from models.statement import Statement

T = TypeVar("T")


class Read(Protocol):
    """Execute a statement that only reads, and return its rows."""

    def __call__(self, statement: Statement[T]) -> list[T]: ...


class Reading(Protocol):
    """The worker, as a reader of the database."""

    def read(self, statement: Statement[T]) -> list[T]: ...
