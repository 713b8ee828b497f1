"""The reason why a database takes no writes is stated in words, and is checked only as often as needed."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import psycopg
import pytest
from sqlalchemy import exc

from api.http.write_access import AGAIN_SECONDS, CALM_SECONDS, WriteAccess, explain_refusal
from models.errors import DatabaseAway

REFUSALS = {
    "disk": psycopg.errors.DiskFull(),
    "read-only": psycopg.errors.ReadOnlySqlTransaction(),
    "standby": psycopg.errors.FeatureNotSupported("cannot set transaction read-write mode during recovery"),
    "permission": psycopg.errors.InsufficientPrivilege(),
    "max_connections": psycopg.errors.TooManyConnections(),
}


@pytest.mark.parametrize("named", REFUSALS)
def test_each_refusal_names_its_cause_and_its_fix(named: str) -> None:
    error = REFUSALS[named]
    assert named in (explain_refusal(error) or "")
    assert named in (explain_refusal(exc.DBAPIError("INSERT", {}, error)) or ""), "as SQLAlchemy wraps it"


def test_a_full_server_is_known_by_its_words_where_a_connection_fails() -> None:
    away = DatabaseAway("PostgreSQL cannot be reached")
    away.__cause__ = psycopg.OperationalError("FATAL:  sorry, too many clients already")
    assert "max_connections" in (explain_refusal(away) or "")


@pytest.mark.parametrize(
    "error", [psycopg.OperationalError("gone"), ValueError("disk"), psycopg.errors.FeatureNotSupported()]
)
def test_other_errors_say_nothing_of_writes(error: Exception) -> None:
    assert explain_refusal(error) is None


class Disk:
    """A database that counts writes, and is full or not."""

    def __init__(self) -> None:
        self.full, self.writes = False, 0

    def transaction(self, **_: bool) -> Any:
        return nullcontext()

    def cursor(self, **_: Any) -> Any:
        return nullcontext(self)

    def execute(self, *_: Any) -> Any:
        self.writes += 1
        if self.full:
            raise psycopg.errors.DiskFull
        return self

    def fetchone(self) -> None: ...


def test_ready_writes_rarely_while_all_is_well_and_each_second_while_it_is_not() -> None:
    now, disk = [0.0], Disk()
    writing = WriteAccess(lambda: now[0])

    def looks(seconds: float) -> list[bool]:
        found = []
        for _ in range(int(seconds * 4)):
            try:
                writing.probe(disk)  # type: ignore[arg-type]
            except psycopg.Error:
                found.append(False)
            else:
                found.append(True)
            now[0] += 0.25
        return found

    assert all(looks(60))
    assert disk.writes <= 60 / CALM_SECONDS + 1
    disk.full, disk.writes = True, 0
    writing.failed(psycopg.errors.DiskFull())
    assert not any(looks(10))
    assert 8 <= disk.writes <= 10 / AGAIN_SECONDS + 1
    disk.full = False
    assert all(looks(5)[4:])
