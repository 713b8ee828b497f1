"""Feeds every open stream of this process: one Redis subscription brings hints, one reader reads the table.

A stream is *stale* when there may be events in the table that it has not got. It becomes stale when it opens, when a hint
names a newer event, every two seconds in any case, and when its client has made room. The reader takes all stale streams
at once with one statement; so what is delivered is the stored order, no stream holds a database connection, and Redis may
lose or reorder whatever it likes.
"""

import asyncio
import json
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from api.http.auth import Caller
from api.streams.board import Board
from api.streams.frame import frame
from api.streams.mailbox import Mailbox
from api.streams.revocation import OpenStream, end_revoked_forever
from api.streams.subscription import Subscription
from api.streams.tail import PAGE, tails
from models.runtime.bus import PREFIX, run_channel, tenant_channel
from models.runtime.facts import fact

POLL_SECONDS = 2.0
_STORED = re.compile(r'\{"seq":(\d{1,9}),')
_AT_ONCE = 200


class Hub:
    """All open streams of the process, the two tasks that feed them, and one that ends those of revoked keys."""

    def __init__(self, redis_url: str, prefix: str = PREFIX) -> None:
        self._prefix = prefix
        self._subscription = Subscription(redis_url, self._on_hint, self._on_back, self._on_flood)
        self._boxes: defaultdict[str, set[Mailbox]] = defaultdict(set)
        self._boards: defaultdict[str, set[Board]] = defaultdict(set)
        self._work = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    def start(self) -> None:
        """Begin to feed."""
        work = (self._subscription.run(), self._read_for_ever(), end_revoked_forever(self._everything))
        self._tasks = [asyncio.create_task(one) for one in work]

    def close(self) -> None:
        """End every stream, and each that still opens; the process is about to stop."""
        self._closed = True
        for one in self._everything():
            one.close()

    async def stop(self) -> None:
        """Stop feeding."""
        self.close()
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._subscription.stop()

    @property
    def redis_there(self) -> bool:
        """Whether hints can come."""
        return self._subscription.connected

    @asynccontextmanager
    async def mailbox(self, run: UUID, after: int, viewer: Caller | None = None) -> AsyncIterator[Mailbox]:
        """Open a mailbox that gets the run's events after `after`, and what happens from now on, as `viewer` may see it."""
        channel = run_channel(run)
        box = Mailbox(run, after, self._work.set, viewer)
        first = not self._boxes[channel]
        self._boxes[channel].add(box)
        try:
            if first:
                await self._subscription.join(channel)
            if self._closed:
                box.close()
            self._make_stale([box])
            yield box
        finally:
            box.close()
            self._boxes[channel].discard(box)
            if not self._boxes[channel]:
                del self._boxes[channel]
                self._subscription.leave(channel)

    @asynccontextmanager
    async def board(self, viewer: Caller) -> AsyncIterator[Board]:
        """Open a board that gets what happens to the runs of the viewer's tenant from now on."""
        channel, board = tenant_channel(viewer.tenant, self._prefix), Board(viewer)
        first = not self._boards[channel]
        self._boards[channel].add(board)
        try:
            if first:
                await self._subscription.join(channel)
            if self._closed:
                board.close()
            yield board
        finally:
            self._boards[channel].discard(board)
            if not self._boards[channel]:
                del self._boards[channel]
                self._subscription.leave(channel)

    def _all(self) -> list[Mailbox]:
        return [box for boxes in self._boxes.values() for box in boxes]

    def _everything(self) -> list[OpenStream]:
        return [*self._all(), *(board for boards in self._boards.values() for board in boards)]

    def _make_stale(self, boxes: list[Mailbox]) -> None:
        for box in boxes:
            box.stale = True
        self._work.set()

    def _on_back(self) -> None:
        self._make_stale(self._all())

    def _on_flood(self, channel: str) -> None:
        self._make_stale(list(self._boxes.get(channel, ())))

    def _on_hint(self, channel: str, text: str) -> None:
        if boards := self._boards.get(channel):
            _put_on_boards(boards, text)
        boxes = self._boxes.get(channel)
        if not boxes:
            return
        if (
            known := _STORED.match(text)
        ) is not None:  # as `models.runs.public_event.public` writes it: nothing else is looked at
            self._make_stale([box for box in boxes if box.after < int(known[1])])
            return
        if not any(box.has_room for box in boxes):
            return  # a live-only message that nobody has room for, or a hint that the poll makes up for
        try:
            message = json.loads(text)
            seq = message.get("seq")
            live = frame(message) if seq is None else None
        except (ValueError, KeyError, AttributeError, RecursionError):
            return  # whoever said this is none of us
        if live is not None:
            for box in boxes:
                box.put_live(live)
        elif isinstance(seq, int):
            self._make_stale([box for box in boxes if box.after < seq])

    async def _read_for_ever(self) -> None:
        polled = time.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, polled + POLL_SECONDS - time.monotonic())):
                    await self._work.wait()
            if time.monotonic() >= polled + POLL_SECONDS:
                polled = time.monotonic()
                self._make_stale(self._all())
            self._work.clear()
            boxes = [box for box in self._all() if box.wants_events]
            for start in range(0, len(boxes), _AT_ONCE):
                await self._read(boxes[start : start + _AT_ONCE])

    async def _read(self, boxes: list[Mailbox]) -> None:
        for box in boxes:
            box.stale, box.reading = False, True
        try:
            found = await asyncio.to_thread(tails, [(box.run, box.after, box.viewer) for box in boxes])
        except Exception as error:  # noqa: BLE001  whatever it is, the loop that feeds every stream must go on
            fact("stream.read_failed", level="warning", error=type(error).__name__)
            found = [[] for _ in boxes]
            for box in boxes:
                box.stale = True  # read again with the next poll
        for box, frames in zip(boxes, found, strict=True):
            box.reading = False
            if len(frames) == PAGE:
                self._make_stale([box])
            box.put_events(frames)


def _put_on_boards(boards: set[Board], text: str) -> None:
    try:
        message = json.loads(text)
        frame(message)
        run = str(UUID(message["runId"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return  # as above
    for board in boards:
        board.put({**message, "runId": run})
