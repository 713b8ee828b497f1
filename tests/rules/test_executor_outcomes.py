"""Outcomes that arrive during an activation are sent once, in order, and never counted as sent if they were not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from executor.activation.wait_outcomes import Outcomes
from models.runs import recording
from models.runs.recording import Fence
from models.statement import Statement
from tests import rows

FENCE = Fence(UUID(int=1), 3, UUID(int=2))
Row = dict[str, Any]


def over(key: str, moment: float, answer: str = "1") -> Row:
    return {"key": key, "kind": "signal", "outcome": "received", "answer": answer, "resolvedMs": moment}


class Database:
    """A run's row and its waits, and a thread that executes its jobs on demand."""

    def __init__(self) -> None:
        self.inbox, self.epoch, self.rows = 0, 3, list[Row]()
        self.jobs: list[Callable[[], None]] = []
        self.read_by: list[str] = []
        self.between: Callable[[], None] = lambda: None
        self.away = False

    def read(self, statement: Statement[Any]) -> list[Any]:
        if self.away:
            raise psycopg.OperationalError("away")
        self.read_by.append("run" if statement.sql == recording.FENCED else "waits")
        if statement.sql == recording.FENCED:
            row = rows.fenced(epoch=self.epoch, inbox=self.inbox)
            self.between()
            return [row]
        return [row for row in self.rows if row["resolvedMs"] >= statement.params["since"] - 1]

    def soon(self, job: Callable[[], None]) -> None:
        self.jobs.append(job)

    def work(self) -> None:
        while self.jobs:
            self.jobs.pop(0)()

    def decide(self, key: str, moment: float) -> None:
        self.inbox += 1
        self.rows.append(over(key, moment))


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def told() -> list[Row]:
    return []


@pytest.fixture
def outcomes(database: Database, told: list[Row]) -> Outcomes:
    made = Outcomes(database, FENCE, told.append, 0)
    made.awaited()
    return made


def _keys(told: list[Row]) -> list[list[str]]:
    assert all(frame["frame"] == "settled" for frame in told)
    return [[wait["key"] for wait in frame["waits"]] for frame in told]


def test_what_came_is_told_once_and_the_inbox_is_read_first(
    outcomes: Outcomes, database: Database, told: list[Row]
) -> None:
    database.decide("a", 10)
    database.decide("b", 11)
    outcomes.notice(2)
    database.work()
    outcomes.notice(2)
    database.work()
    assert _keys(told) == [["a", "b"]]
    assert database.read_by == ["run", "waits"]


def test_an_activation_that_opened_nothing_asks_for_nothing(database: Database, told: list[Row]) -> None:
    Outcomes(database, FENCE, told.append, 0).notice(5)
    assert database.jobs == []


def test_what_the_activation_began_with_is_not_told_again(
    outcomes: Outcomes, database: Database, told: list[Row]
) -> None:
    outcomes.recorded([over("a", 10), {"key": "open", "resolvedMs": None}])
    database.rows = [over("a", 10)]
    database.decide("b", 10)
    outcomes.notice(1)
    database.work()
    assert _keys(told) == [["b"]]


def test_what_comes_between_the_two_reads_is_told_and_its_inbox_is_not_taken_for_seen(
    outcomes: Outcomes, database: Database, told: list[Row]
) -> None:
    def come_between() -> None:
        database.between = lambda: None
        database.decide("b", 11)

    database.decide("a", 10)
    database.between = come_between
    outcomes.notice(1)
    database.work()
    assert _keys(told) == [["a", "b"]]
    outcomes.notice(2)
    assert len(database.jobs) == 1


def test_a_look_that_is_asked_for_during_another_is_made_behind_it(
    outcomes: Outcomes, database: Database, told: list[Row]
) -> None:
    outcomes.look()
    outcomes.look()
    assert len(database.jobs) == 1
    database.work()
    assert database.read_by == ["run", "waits"] * 2
    outcomes.look()
    assert len(database.jobs) == 1


def test_a_database_that_is_away_is_asked_again(outcomes: Outcomes, database: Database, told: list[Row]) -> None:
    database.decide("a", 10)
    database.away = True
    outcomes.notice(1)
    with pytest.raises(psycopg.OperationalError):
        database.work()
    database.away, database.jobs = False, []
    outcomes.notice(1)
    database.work()
    assert _keys(told) == [["a"]]


def test_an_activation_that_is_fenced_is_told_nothing(outcomes: Outcomes, database: Database, told: list[Row]) -> None:
    database.decide("a", 10)
    database.epoch = 4
    outcomes.notice(1)
    database.work()
    assert told == []


def test_much_is_told_in_several_frames(outcomes: Outcomes, database: Database, told: list[Row]) -> None:
    database.inbox, database.rows = 1, [over(f"w{n}", n, "1" * 400_000) for n in range(5)]
    outcomes.notice(1)
    database.work()
    assert sum(map(len, _keys(told))) == 5
    assert len(told) == 3


def test_a_park_behind_news_looks_behind_the_lock(outcomes: Outcomes) -> None:
    assert not outcomes.has_news
    outcomes.notice(0)
    assert not outcomes.has_news
    outcomes.notice(1)
    assert outcomes.has_news
