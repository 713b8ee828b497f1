"""The hub of all open streams of this process: one Redis subscription brings hints, one reader reads the table.

A stream is *stale* while the table may hold events that it lacks. It becomes stale when it opens, when a hint names a newer
event, when its client has made room, and every two seconds in any case. One statement reads the events of all stale streams.
So streams deliver the stored order, none holds a database connection, and Redis may lose or reorder messages.
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
    """All open streams of the process, the two tasks that feed them, and one that ends streams of revoked keys.

    Used on the event loop only.
    """

    def __init__(self, redis_url: str, prefix: str = PREFIX) -> None:
        self._prefix = prefix
        self._subscription = Subscription(redis_url, self._on_hint, self._on_connected, self._on_flood)
        self._boxes: defaultdict[str, set[Mailbox]] = defaultdict(set)
        self._boards: defaultdict[str, set[Board]] = defaultdict(set)
        self._work = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    def start(self) -> None:
        """Start the tasks that feed the streams."""
        work = (self._subscription.run(), self._read_for_ever(), end_revoked_forever(self._open_streams))
        self._tasks = [asyncio.create_task(one) for one in work]

    def close(self) -> None:
        """End every stream, and every stream that opens later; the process is about to stop."""
        self._closed = True
        for one in self._open_streams():
            one.close()

    async def stop(self) -> None:
        """End every stream and stop the tasks."""
        self.close()
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._subscription.stop()

    @property
    def redis_there(self) -> bool:
        """Whether the Redis subscription is connected."""
        return self._subscription.connected

    @asynccontextmanager
    async def mailbox(self, run: UUID, after: int, viewer: Caller | None = None) -> AsyncIterator[Mailbox]:
        """Yield a mailbox that receives the run's events after `after`, then new ones live, as `viewer` may see them."""
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
        """Yield a board that receives new events of all runs of the viewer's tenant."""
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

    def _mailboxes(self) -> list[Mailbox]:
        return [box for boxes in self._boxes.values() for box in boxes]

    def _open_streams(self) -> list[OpenStream]:
        return [*self._mailboxes(), *(board for boards in self._boards.values() for board in boards)]

    def _make_stale(self, boxes: list[Mailbox]) -> None:
        for box in boxes:
            box.stale = True
        self._work.set()

    def _on_connected(self) -> None:
        self._make_stale(self._mailboxes())

    def _on_flood(self, channel: str) -> None:
        self._make_stale(list(self._boxes.get(channel, ())))

    def _on_hint(self, channel: str, text: str) -> None:
        if boards := self._boards.get(channel):
            _put_on_boards(boards, text)
        boxes = self._boxes.get(channel)
        if not boxes:
            return
        # `models.runs.public_event.public` writes `seq` first, so a hint need not be parsed.
        if (stored := _STORED.match(text)) is not None:
            self._make_stale([box for box in boxes if box.after < int(stored[1])])
            return
        if not any(box.has_room for box in boxes):
            return  # a live-only message without room for it, or a hint: the poll makes up for it
        try:
            message = json.loads(text)
            seq = message.get("seq")
            live = frame(message) if seq is None else None
        except (ValueError, KeyError, AttributeError, RecursionError):
            return  # no process of ours published this
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
                self._make_stale(self._mailboxes())
            self._work.clear()
            boxes = [box for box in self._mailboxes() if box.wants_events]
            for start in range(0, len(boxes), _AT_ONCE):
                await self._read(boxes[start : start + _AT_ONCE])

    async def _read(self, boxes: list[Mailbox]) -> None:
        for box in boxes:
            box.stale, box.reading = False, True
        try:
            found = await asyncio.to_thread(tails, [(box.run, box.after, box.viewer) for box in boxes])
        except Exception as error:  # noqa: BLE001  the loop that feeds every stream must survive any error
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
