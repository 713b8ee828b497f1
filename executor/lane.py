"""Commits what waits in groups, on one connection: throughput grows with slots, a lone run pays one commit.

Items are taken in the order in which they came and executed in one pipelined transaction. When a group fails, its items
are tried one by one and only the bad one is answered with an error. When the connection is lost, the lane waits until it
is back and tries again; whether a lost acknowledgement was a commit is asked of the run row (see `Item.settle`).
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from models.database import Connection, Row, connect
from models.errors import DatabaseAway
from models.facts import fact
from models.statement import Statement

MAX_ITEMS = 128
MAX_BYTES = 1 << 20
LOCK_TIMEOUT_MS = 200  # a group never waits long for one run's row; a single item may

Answer = Row | None | Exception


@dataclass(slots=True)
class Item:
    """One statement to commit; `done` gets its row, None (the guard did not hold) or the error, in the lane's thread.

    `settle` is asked after a lost connection: True when the item had been committed although nobody said so.
    """

    statement: Statement
    done: Callable[[Answer], None]
    size: int = 0
    settle: Callable[[Connection], bool] | None = None


class Settled(Exception):
    """The item had been committed before its acknowledgement was lost; its row is not known any more."""


class Lane:
    """One thread, one connection, one queue."""

    def __init__(self, name: str, published: Callable[[Row], None]) -> None:
        self._name = name
        self._published = published
        self._waiting: deque[Item] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name=f"recorder-{name}", daemon=True)

    def start(self) -> None:
        """Open the connection (raises DatabaseAway) and begin."""
        self._connection = self._open()
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue an item; never blocks."""
        with self._wake:
            self._waiting.append(item)
            self._wake.notify()

    def stop(self, deadline: float) -> None:
        """Commit what waits, for `deadline` seconds at most."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(deadline)

    def _run(self) -> None:
        while group := self._take():
            self._commit(group)
        if self._connection:
            self._connection.close()

    def _take(self) -> list[Item]:
        with self._wake:
            while not self._waiting and not self._stopping:
                self._wake.wait()
            group: list[Item] = []
            size = 0
            while self._waiting and len(group) < MAX_ITEMS and (not group or size + self._waiting[0].size <= MAX_BYTES):
                size += self._waiting[0].size
                group.append(self._waiting.popleft())
            return group

    def _commit(self, group: list[Item]) -> None:
        try:
            answers = self._execute(group)
        except psycopg.Error as error:
            lost = self._is_lost(error)
            if lost:
                self._recover(error)
            for item in group:
                self._commit_one(item, lost)
        else:
            self._answer(group, answers)

    def _execute(self, group: list[Item]) -> list[Answer]:
        """Execute the group in one transaction and one round trip; a lone statement is a transaction of its own."""
        assert self._connection is not None
        if len(group) == 1:
            return [group[0].statement.one(self._connection)]
        with self._connection.pipeline(), self._connection.transaction():
            cursors = [self._connection.execute(item.statement.sql, item.statement.params) for item in group]
        return [cursor.fetchone() for cursor in cursors]

    def _commit_one(self, item: Item, unsure: bool) -> None:
        """Commit an item alone, as often as the connection is lost; `unsure` when it may have been committed before."""
        answer: Answer = None
        while True:
            try:
                answer = Settled() if unsure and self._was_committed(item) else self._alone(item)
                break
            except psycopg.Error as error:
                if not self._is_lost(error):
                    answer = error
                    break
                self._recover(error)
                unsure = True
        self._answer([item], [answer])

    def _was_committed(self, item: Item) -> bool:
        assert self._connection is not None
        return bool(item.settle and item.settle(self._connection))

    def _alone(self, item: Item) -> Answer:
        assert self._connection is not None
        with self._connection.transaction():
            self._connection.execute("SET LOCAL lock_timeout = '30s'")
            return item.statement.one(self._connection)

    def _is_lost(self, error: psycopg.Error) -> bool:
        """Say whether PostgreSQL went away or is out of its means, rather than that it refused what it was given."""
        return (
            self._connection is None
            or self._connection.closed
            or (error.sqlstate or "")[:2] in ("08", "53", "57", "58")
        )

    def _recover(self, error: psycopg.Error) -> None:
        fact("database.away", level="warning", lane=self._name, error=type(error).__name__)
        self._reconnect()
        fact("database.back", lane=self._name)

    def _answer(self, group: list[Item], answers: list[Answer]) -> None:
        for item, answer in zip(group, answers, strict=True):
            if isinstance(answer, dict) and answer.get("seq") is not None:
                self._published(answer)
            item.done(answer)

    def _open(self) -> Connection:
        connection = connect(f"recorder {self._name}")
        connection.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
        return connection

    def _reconnect(self) -> None:
        if self._connection:
            self._connection.close()
        wait = 0.1
        while True:
            try:
                self._connection = self._open()
            except (DatabaseAway, psycopg.Error):
                time.sleep(wait)
                wait = min(wait * 2, 5.0)
            else:
                return


def wait_for(put: Callable[[Item], None], statement: Statement, **options: Any) -> Answer:
    """Queue a statement and wait for its answer; for callers that go on only when it is committed."""
    answered = threading.Event()
    box: list[Answer] = []

    def done(answer: Answer) -> None:
        box.append(answer)
        answered.set()

    put(Item(statement, done, **options))
    answered.wait()
    return box[0]
