"""Frames between an activation and its worker: numbered items, questions, and the answers to both.

The agent's thread (or loop) writes, and the reader thread passes answers on. One lock covers numbering and writing, so that
frames leave in the order of their `n`.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from taxiway.authorizations import Grant
from taxiway.encode import json_text
from taxiway.envelope import EnvelopeBroken, unseal
from taxiway.errors import NotRecorded
from taxiway.frames import Frame, FrameError, Kind
from taxiway.orders import Order
from taxiway.storable_text import MAX_LOG, storable

T = TypeVar("T")
PROGRESS_SECONDS: Final = 0.05
"""Seconds between two frames of progress; the worker shows fewer."""


@dataclass(frozen=True)
class Place:
    """The origin of an event or log line: a step's attempt, or (both None) the agent itself."""

    step: str | None = None
    attempt: int | None = None


IN_AGENT = Place()


@dataclass(frozen=True)
class Granted:
    """The worker's answer about a grant: usable (with the token if requested), lost, or neither for the reason `why`."""

    usable: bool = False
    lost: bool = False
    token: str | None = field(default=None, repr=False)
    why: str = ""


class Conversation(ABC):
    """One activation's end of the channel; `write` sends a frame, and `lock` keeps interrupts out while it is held."""

    def __init__(
        self,
        order: Order,
        write: Callable[[Frame], None],
        lock: AbstractContextManager[object] | None,
        key: bytes | None,
    ) -> None:
        self.order = order
        self._write_now = write
        self.later: Callable[[float, Callable[[], None]], object] | None = None
        """Calls a function after so many seconds; without it each progress is written immediately."""
        self._progress: dict[str | None, Frame] = {}
        self._progress_from = 0.0
        self._lock = threading.Lock() if lock is None else lock  # protects everything below
        self._n = 0
        self._unanswered: dict[int, Future[Any]] = {}
        self._recalls: dict[str, Future[str]] = {}
        self._key = key
        self._asked = 0
        self._asks: dict[int, tuple[Grant, Future[Granted]]] = {}
        self._versions: dict[tuple[str, str], int] = {}

    @abstractmethod
    def check(self) -> None:
        """Raise the reason if further frames are refused."""

    # Called by the agent's side.

    def tell(self, kind: Kind, fields: dict[str, Any]) -> None:
        """Write a frame without an answer."""
        with self._lock:
            self.check()
            if kind is Kind.STEP_STARTED:
                self._n += 1
                fields = {**fields, "n": self._n}
            self._write({"frame": kind, "activation": self.order.activation, **fields})

    def commit(self, kind: Kind, fields: dict[str, Any]) -> Future[Any]:
        """Write a numbered frame; the future ends when the worker has recorded it, or with NotRecorded if it refuses."""
        with self._lock:
            self.check()
            return self._commit(kind, fields)

    def recall(self, key: str) -> Future[str]:
        """Ask for a large recorded value."""
        with self._lock:
            self.check()
            self._write({"frame": Kind.RECALL, "activation": self.order.activation, "key": key})
            return self._recalls.setdefault(key, _running(Future()))

    def event(self, named: str, data: object, *, durable: bool = False, place: Place = IN_AGENT) -> Future[None] | None:
        """Write an event of the agent's own; for a durable event, return a future that ends when it is recorded."""
        if not isinstance(named, str) or not named.strip():
            raise TypeError("an event's type is a text, such as 'page_fetched'")
        return self._event("agent", {"type": storable(named), "data": data}, durable, place)

    def progress(self, done: float, total: float | None, note: str | None, place: Place = IN_AGENT) -> None:
        """Write the agent's progress. In quick succession only the newest is written, but before any other frame."""
        text = note if note is None else storable(str(note))
        fields = self._event_fields("progress", {"done": done, "total": total, "note": text}, False, place)
        with self._lock:
            self.check()
            self._progress[place.step] = {"frame": Kind.EVENT, "activation": self.order.activation, **fields}
            now = time.monotonic()
            if self.later is None or now >= self._progress_from:
                self._progress_from = now + PROGRESS_SECONDS
                self._write_progress()
            elif len(self._progress) == 1:
                self.later(PROGRESS_SECONDS, self._progress_is_due)

    def log(self, message: object, level: str, place: Place = IN_AGENT) -> None:
        """Write a line of the run's log."""
        if level not in ("debug", "info", "warning", "error"):
            raise ValueError(f"a log level is debug, info, warning or error, not {level!r}")
        fields = {
            "level": level,
            "message": storable(str(message), MAX_LOG),
            "step": place.step,
            "attempt": place.attempt,
        }
        self.tell(Kind.LOG, fields)

    def ask(self, want: str, grant: Grant) -> Future[Granted]:
        """Ask the worker to `find` a grant, for its `token`, or whether a `lost` one has a successor."""
        about: dict[str, Any] = {"provider": grant.provider, "subject": grant.subject, "scopes": list(grant.scopes)}
        if want == "lost":
            about["version"] = self._versions.get((grant.provider, grant.subject))
        with self._lock:
            self.check()
            self._asked += 1
            future: Future[Granted] = _running(Future())
            self._asks[self._asked] = (grant, future)
            frame = {"frame": Kind.GRANT, "activation": self.order.activation, "ask": self._asked, "want": want}
            self._write({**frame, **about})
            return future

    # Called by the reader's side.

    def acknowledge(self, n: int, value: str | None = None) -> None:
        """End the future of item `n`, which is recorded; `value` is the worker's result for it, if any."""
        if future := self._answered(n):
            future.set_result(value)

    def refuse(self, n: int, code: str, message: str) -> None:
        """End the future of item `n`, which the worker refused to record."""
        if future := self._answered(n):
            future.set_exception(NotRecorded(code, message))

    def deliver(self, key: str, text: str) -> None:
        """End the future of a recalled value."""
        with self._lock:
            future = self._recalls.pop(key, None)
        if future is not None:
            future.set_result(text)

    def granted(self, frame: Frame) -> None:
        """End the future of a question about a grant."""
        with self._lock:
            grant, future = self._asks.pop(frame["ask"], (None, None))
        if grant is None or future is None:
            return
        token, why = None, str(frame.get("why") or "")
        if (sealed := frame.get("sealed")) is not None:
            token = self._unsealed(sealed, frame["ask"])
            why = why or ("" if token else "it was sealed for another host")
            self._versions[grant.provider, grant.subject] = frame["version"]
        future.set_result(Granted(bool(frame.get("usable")), bool(frame.get("lost")), token, why))

    def _take_unanswered(self) -> list[Future[Any]]:
        """Return and forget all unanswered futures; the caller holds the lock."""
        asks = [future for _, future in self._asks.values()]
        waiting: list[Future[Any]] = [*self._unanswered.values(), *self._recalls.values(), *asks]
        self._asks.clear()
        self._unanswered.clear()
        self._recalls.clear()
        return waiting

    def _commit(self, kind: Kind, fields: dict[str, Any]) -> Future[Any]:
        self._n += 1
        future: Future[Any] = _running(Future())
        try:
            self._write({"frame": kind, "activation": self.order.activation, "n": self._n, **fields})
        except FrameError as error:  # nothing was written, and the number is free again
            self._n -= 1
            future.set_exception(NotRecorded("output_too_large", str(error)))
            return future
        self._unanswered[self._n] = future
        return future

    def _event(self, kind: str, data: dict[str, Any], durable: bool, place: Place) -> Future[None] | None:
        fields = self._event_fields(kind, data, durable, place)
        if durable:
            return self.commit(Kind.EVENT, fields)
        self.tell(Kind.EVENT, fields)
        return None

    def _event_fields(self, kind: str, data: dict[str, Any], durable: bool, place: Place) -> dict[str, Any]:
        text = json_text(data)
        if (size := len(text.encode())) > self.order.limits.event:
            raise ValueError(f"an event has {size:,} bytes of JSON, {self.order.limits.event:,} are allowed")
        return {"type": kind, "data": text, "durable": durable, "step": place.step, "attempt": place.attempt}

    def _write(self, frame: Frame) -> None:
        """Write a frame after earlier progress; the caller holds the lock."""
        self._write_progress()
        self._write_now(frame)

    def _write_progress(self) -> None:
        waiting, self._progress = self._progress, {}
        for frame in waiting.values():
            self._write_now(frame)

    def _progress_is_due(self) -> None:
        with self._lock:
            self._progress_from = time.monotonic() + PROGRESS_SECONDS
            self._write_progress()

    def _answered(self, n: int) -> Future[Any] | None:
        with self._lock:
            return self._unanswered.pop(n, None)

    def forget_key(self) -> None:
        """Forget the key that opens tokens. Called in a forked child."""
        self._key = None

    def _unsealed(self, sealed: str, ask: int) -> str | None:
        try:
            return unseal(self._key or b"", sealed, f"{self.order.activation}/{ask}")
        except EnvelopeBroken:
            return None


def _running(future: Future[T]) -> Future[T]:
    future.set_running_or_notify_cancel()
    return future
