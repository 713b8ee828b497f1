"""Commits what waits in groups, on one connection: throughput grows with slots, a lone run pays one commit.

Items are taken in the order in which they came and executed in one pipelined transaction. When a group fails, its items
are tried one by one and only the bad one is answered with an error. Who has nothing else to do than to wait for an item
commits it itself while nobody else commits: that saves two changes of threads. An item whose run is locked by somebody is
put aside together with those that follow it in that run, and tried again now and then, so that nobody else waits for it.
When the connection is lost, the lane waits until it is back and tries again; whether a lost acknowledgement was a commit is
asked of the run row (see `Item.settle`).
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any
from uuid import UUID

from psycopg.errors import LockNotAvailable

from executor.recorder.connection import LOCK_TIMEOUT_MS, Decision, Session
from models.claim import Claim
from models.runs.opening import Opened
from models.runtime.database import Connection, Row
from models.statement import Statement
from models.stored_event import StoredEvent, Written

MAX_ITEMS = 128
MAX_BYTES = 1 << 20
LOCKED_TIMEOUT_MS = 10  # one that was found locked is only looked at again
LOCKED_SECONDS = 0.25

Answer = object
"""What a decision returned, None if its guard did not hold, or the error.

The row of a statement without a type of its own (a step, a log line) stays here: its answer is RECORDED.
"""
RECORDED = object()


@dataclass(slots=True)
class Item:
    """One statement to commit; `done` gets its row, None (the guard did not hold) or the error, in the thread that commits.

    Items of one `run` are committed in their order; one that is to stand `alone` has a transaction of its own. `settle` is
    asked after a lost connection: True when the item had been committed although nobody said so; `unsure` says that this
    may be so.
    """

    statement: Decision
    done: Callable[[Answer], None]
    size: int = 0
    settle: Callable[[Connection], bool] | None = None
    run: UUID | None = None
    alone: bool = False
    unsure: bool = False


class Settled(Exception):
    """The item had been committed before its acknowledgement was lost; its row is not known any more."""


class GroupCommitter:
    """One thread, one connection, one queue."""

    def __init__(self, name: str, published: Callable[[StoredEvent | Row], None]) -> None:
        self._published = published
        self._session = Session(name)
        self._coming: SimpleQueue[Item | None] = SimpleQueue()
        self._waiting: deque[Item] = deque()
        self._stopping = False
        self._locked: dict[UUID | None, deque[Item]] = {}
        self._look_at = 0.0
        self._turn = threading.Lock()  # held by whoever uses the session
        self._thread = threading.Thread(target=self._run, name=f"recorder-{name}", daemon=True)

    def start(self) -> None:
        """Open the connection (raises DatabaseAway) and begin."""
        self._session.open()
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue an item; never blocks."""
        self._coming.put(item)

    def commit_inline(self, item: Item) -> bool:
        """Commit an item in the calling thread if nobody else commits; False when it is still to be put, whatever went wrong."""
        if not isinstance(item.statement, Statement) or not self._turn.acquire(blocking=False):
            return False
        try:
            answers: list[Answer] = [*self._session.execute([item.statement])]
        except Exception as error:  # noqa: BLE001  the lane tries again, and tells what is wrong
            item.unsure = item.alone = self._session.is_lost(error)
            return False
        finally:
            self._turn.release()
        self._answer([item], answers)
        return True

    def stop(self, deadline: float) -> None:
        """Commit what waits, for `deadline` seconds at most."""
        self._coming.put(None)
        self._thread.join(deadline)

    def _run(self) -> None:
        while not self._stopping or self._waiting or self._locked:
            group = self._take()
            with self._turn:
                if group:
                    self._commit(group)
                if self._locked and time.monotonic() >= self._look_at:
                    self._look_again()
        self._session.close()

    def _take(self) -> list[Item]:
        self._collect()
        group: list[Item] = []
        size = 0
        while self._waiting and len(group) < MAX_ITEMS and (not group or size + self._waiting[0].size <= MAX_BYTES):
            if group and (group[-1].alone or self._waiting[0].alone):
                break
            item = self._waiting.popleft()
            if item.run in self._locked:
                self._locked[item.run].append(item)
            else:
                size += item.size
                group.append(item)
        return group

    def _collect(self) -> None:
        """Wait until there is something to do, then take over all that has come."""
        try:
            if not self._waiting and not (self._stopping and not self._locked):
                self._receive(self._coming.get(timeout=self._until_look()))
            while True:
                self._receive(self._coming.get_nowait())
        except Empty:
            pass

    def _receive(self, item: Item | None) -> None:
        if item is None:
            self._stopping = True
        else:
            self._waiting.append(item)

    def _until_look(self) -> float | None:
        return max(0.0, self._look_at - time.monotonic()) if self._locked else None

    def _commit(self, group: list[Item]) -> None:
        if group[0].alone:
            self._commit_one(group[0])
            return
        try:
            answers: list[Answer] = [
                *self._session.execute([item.statement for item in group if isinstance(item.statement, Statement)])
            ]
        except Exception as error:  # noqa: BLE001  one item's fault must never end the thread that commits everybody's
            if self._session.is_lost(error):
                self._session.reconnect(error)
                for item in group:
                    item.unsure = True
            for item in group:
                self._commit_one(item)
        else:
            self._answer(group, answers)

    def _commit_one(self, item: Item) -> None:
        """Commit an item alone, as often as the connection is lost; put it aside when its run is locked."""
        if item.run in self._locked:
            self._locked[item.run].append(item)
            return
        try:
            self._answer([item], [self._tried(item, LOCK_TIMEOUT_MS)])
        except LockNotAvailable:
            self._locked[item.run] = deque([item])
            self._look_at = time.monotonic() + LOCKED_SECONDS

    def _look_again(self) -> None:
        """Try the first item of each locked run; what waits behind one that is committed comes next, before all others."""
        for run, items in list(self._locked.items()):
            try:
                answer = self._tried(items[0], LOCKED_TIMEOUT_MS)
            except LockNotAvailable:
                continue
            del self._locked[run]
            first = items.popleft()
            self._waiting.extendleft(reversed(items))
            self._answer([first], [answer])
        self._look_at = time.monotonic() + LOCKED_SECONDS

    def _tried(self, item: Item, lock_timeout_ms: int) -> Answer:
        """Give the item's answer, which may be an error; raises LockNotAvailable."""
        while True:
            try:
                if item.unsure and self._was_committed(item):
                    return Settled()
                answer = self._session.execute_alone(item.statement, lock_timeout_ms)
                # The lost session may have been committing while it was asked about; by now it is through.
                return Settled() if answer is None and item.unsure and self._was_committed(item) else answer
            except LockNotAvailable:
                raise
            except Exception as error:  # noqa: BLE001  it is the answer
                if not self._session.is_lost(error):
                    return error
                self._session.reconnect(error)
                item.unsure = True

    def _was_committed(self, item: Item) -> bool:
        return bool(item.settle and item.settle(self._session.connection))

    def _answer(self, group: list[Item], answers: list[Answer]) -> None:
        """Answer all, then tell of it: somebody waits for each answer, and hints may come when they come."""
        self._session.works()
        events: list[StoredEvent | Row] = []
        for item, answer in zip(group, answers, strict=True):
            events += _events(answer)
            item.done(RECORDED if isinstance(answer, dict) else answer)
        for event in events:
            self._published(event)


def is_committed(answer: Answer) -> bool:
    """Return whether the item was committed, rather than refused or overtaken."""
    return isinstance(answer, Settled) or not (answer is None or isinstance(answer, Exception))


def _events(answer: Answer) -> Sequence[StoredEvent | Row]:
    """Return the events that a decision wrote, in their order."""
    match answer:
        case dict():
            return [answer] if answer.get("seq") is not None else ()
        case StoredEvent():
            return [answer]
        case Claim(event=StoredEvent() as event):
            return [event]
        case Written(events) | Opened(events=events):
            return events
        case _:
            return ()


def wait_for(put: Callable[[Item], None], statement: Decision, **options: Any) -> Answer:
    """Queue a statement and wait for its answer; for callers that go on only when it is committed."""
    answers: SimpleQueue[Answer] = SimpleQueue()
    put(Item(statement, answers.put, **options))
    return answers.get()
