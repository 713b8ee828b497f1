"""Items for the tests of the recorder, its answers, and the content of the database after them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from executor.recorder.connection import Decision
from executor.recorder.group_commit import Answer, Settled, is_committed
from executor.recorder.recorder import Recorder
from models.runs import recording
from models.runtime.database import Connection
from models.statement import Statement
from tests.postgres.calls import fence, record
from tests.postgres.factory import Made, World
from tests.postgres.proxied import until
from tests.postgres.proxy import Proxy

BIG = recording.Limits(steps=1000, recorded_bytes=1 << 26)


class Answers:
    """The answers of the recorder, in their order."""

    def __init__(self) -> None:
        self.got: list[tuple[Any, Answer]] = []

    def of(self, name: Any) -> Callable[[Answer], None]:
        return lambda answer: self.got.append((name, answer))

    def wait(self, count: int) -> list[tuple[Any, Answer]]:
        until(lambda: len(self.got) >= count, f"{count} answers")
        return self.got

    def good(self) -> list[Any]:
        return [name for name, answer in self.got if is_committed(answer) and not isinstance(answer, Settled)]


def step(made: Made, n: int, value: str = "1") -> Statement:
    return recording.step(fence(made), n, record(f"s{n}##1", value=value), BIG, None)


def put(recorder: Recorder, made: Made, n: int, done: Callable[[Answer], None], value: str = "1") -> None:
    recorder.put(made.id, step(made, n, value), done, size=len(value), fence=fence(made), n=n)


def recorded(world: World, made: Made) -> list[str]:
    rows = world.connection.execute("SELECT key FROM step WHERE run_id = %s ORDER BY seq", [made.id]).fetchall()
    return [row["key"] for row in rows]


def gapless(world: World, made: Made) -> bool:
    return [event["seq"] for event in world.events(made.id)] == list(range(1, world.row(made.id)["seq"] + 1))


class Muted:
    """A decision of several statements whose transaction is committed, but never acknowledged."""

    def __init__(self, decision: Decision, proxy: Proxy) -> None:
        self._decision, self._proxy = decision, proxy
        self.tried = 0

    def one(self, connection: Connection) -> object:
        self.tried += 1
        row = self._decision.one(connection)
        self._proxy.muted = True
        return row


class Held:
    """The row of a run, locked by another connection."""

    def __init__(self, connection: psycopg.Connection[Any], made: Made) -> None:
        self._connection = connection
        connection.execute("BEGIN")
        connection.execute("SELECT FROM run WHERE id = %s FOR UPDATE", [made.id])

    def let_go(self) -> None:
        self._connection.execute("ROLLBACK")
