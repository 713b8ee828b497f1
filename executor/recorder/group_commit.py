"""Group commit of one worker's writes, on one connection: throughput grows with slots, a lone run pays one commit.

Items are taken in the order of their arrival and executed in one pipelined transaction. When a group fails, its items are
tried one by one, and only the bad one is answered with an error. A caller that would only block commits its item inline if the
connection is idle; this avoids two thread switches. An item whose run is locked is put aside with the later items of its run
and retried every `LOCKED_SECONDS`, so that no other run waits for it.
When the connection is lost, the committer waits until it is back and tries again. Whether a lost acknowledgement was a commit
follows from the run row (see `Item.settle`).
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

from executor.recorder.connection import LOCK_TIMEOUT_MS, Decision, Session, refusal
from models.promotion.claim import Claim
from models.runs.opening import Opened
from models.runtime.database import Connection, Row
from models.statement import Statement
from models.stored_event import StoredEvent, Written

MAX_ITEMS = 128
MAX_BYTES = 1 << 20
LOCKED_TIMEOUT_MS = 10  # for the retry of an item whose run was locked
LOCKED_SECONDS = 0.25

Answer = object
"""What a decision returned, None if its guard did not hold, or the error.

The row of a statement without a type of its own (a step, a log line) stays here: its answer is RECORDED.
"""
RECORDED = object()


@dataclass(slots=True)
class Item:
    """One statement to commit; `done` gets its row, None (the guard did not hold) or the error, in the thread that commits.

    Items of one `run` are committed in their order; an item that is `alone` has a transaction of its own. After a lost
    connection the item is `unsure`: it may have been committed without an acknowledgement. `settle` returns whether it was.
    """

    statement: Decision
    done: Callable[[Answer], None]
    size: int = 0
    settle: Callable[[Connection], bool] | None = None
    run: UUID | None = None
    alone: bool = False
    unsure: bool = False


class Settled(Exception):
    """The item had been committed before its acknowledgement was lost; its row is unknown."""


class GroupCommitter:
    """One thread, one connection, one queue. Any thread may `put` and `commit_inline`."""

    def __init__(self, name: str, published: Callable[[StoredEvent | Row], None]) -> None:
        self._published = published
        self._session = Session(name)
        self._incoming: SimpleQueue[Item | None] = SimpleQueue()
        self._waiting: deque[Item] = deque()
        self._stopping = False
        self._locked: dict[UUID | None, deque[Item]] = {}
        self._retry_at = 0.0
        self._session_lock = threading.Lock()  # held by the thread that uses the session
        self._thread = threading.Thread(target=self._run, name=f"recorder-{name}", daemon=True)

    def start(self) -> None:
        """Open the connection and start the thread; raise DatabaseAway."""
        self._session.open()
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue an item; never blocks."""
        self._incoming.put(item)

    def commit_inline(self, item: Item) -> bool:
        """Commit an item in the calling thread if no other thread commits; return False if it must still be put."""
        if not isinstance(item.statement, Statement) or not self._session_lock.acquire(blocking=False):
            return False
        try:
            answers: list[Answer] = [*self._session.execute([item.statement])]
        except Exception as error:  # noqa: BLE001  the committer's thread tries again, and reports the error
            item.unsure = item.alone = self._session.is_lost(error)
            return False
        finally:
            self._session_lock.release()
        self._answer([item], answers)
        return True

    def stop(self, deadline: float) -> None:
        """Commit the queued items, for `deadline` seconds at most."""
        self._incoming.put(None)
        self._thread.join(deadline)

    def _run(self) -> None:
        while not self._stopping or self._waiting or self._locked:
            group = self._take()
            with self._session_lock:
                if group:
                    self._commit(group)
                if self._locked and time.monotonic() >= self._retry_at:
                    self._retry_locked()
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
        """Wait until an item arrives or a retry is due, then take over all arrived items."""
        try:
            if not self._waiting and not (self._stopping and not self._locked):
                self._receive(self._incoming.get(timeout=self._until_retry()))
            while True:
                self._receive(self._incoming.get_nowait())
        except Empty:
            pass

    def _receive(self, item: Item | None) -> None:
        if item is None:
            self._stopping = True
        else:
            self._waiting.append(item)

    def _until_retry(self) -> float | None:
        return max(0.0, self._retry_at - time.monotonic()) if self._locked else None

    def _commit(self, group: list[Item]) -> None:
        if group[0].alone:
            self._commit_one(group[0])
            return
        try:
            answers: list[Answer] = [
                *self._session.execute([item.statement for item in group if isinstance(item.statement, Statement)])
            ]
        except Exception as error:  # noqa: BLE001  one item's fault must never end the thread that commits for all runs
            if self._session.is_lost(error):
                self._session.reconnect(error)
                for item in group:
                    item.unsure = True
            for item in group:
                self._commit_one(item)
        else:
            self._answer(group, answers)

    def _commit_one(self, item: Item) -> None:
        """Commit an item alone, again after each lost connection; put it aside if its run is locked."""
        if item.run in self._locked:
            self._locked[item.run].append(item)
            return
        try:
            self._answer([item], [self._executed(item, LOCK_TIMEOUT_MS)])
        except LockNotAvailable:
            self._locked[item.run] = deque([item])
            self._retry_at = time.monotonic() + LOCKED_SECONDS

    def _retry_locked(self) -> None:
        """Try the first item of each locked run; items behind a committed one come next, before all others."""
        for run, items in list(self._locked.items()):
            try:
                answer = self._executed(items[0], LOCKED_TIMEOUT_MS)
            except LockNotAvailable:
                continue
            del self._locked[run]
            first = items.popleft()
            self._waiting.extendleft(reversed(items))
            self._answer([first], [answer])
        self._retry_at = time.monotonic() + LOCKED_SECONDS

    def _executed(self, item: Item, lock_timeout_ms: int) -> Answer:
        """Return the item's answer, which may be an error; raise LockNotAvailable."""
        while True:
            try:
                if item.unsure and self._was_committed(item):
                    return Settled()
                answer = self._session.execute_alone(item.statement, lock_timeout_ms)
                # The lost session may still have been committing during the first check; by now it has ended.
                return Settled() if answer is None and item.unsure and self._was_committed(item) else answer
            except LockNotAvailable:
                raise
            except Exception as error:  # noqa: BLE001  it is the answer
                if not self._session.is_lost(error):
                    return refusal(error)
                self._session.reconnect(error)
                item.unsure = True

    def _was_committed(self, item: Item) -> bool:
        return bool(item.settle and item.settle(self._session.connection))

    def _answer(self, group: list[Item], answers: list[Answer]) -> None:
        """Answer all items, then publish their events: callers wait for the answers, hints may be late."""
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
    """Queue a statement and wait for its answer; for callers that continue only after the commit."""
    answers: SimpleQueue[Answer] = SimpleQueue()
    put(Item(statement, answers.put, **options))
    return answers.get()
