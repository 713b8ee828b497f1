"""One open stream's place in the house: how far it has read, and what waits to be sent. Used on the event loop only.

A mailbox never loses a stored event: what does not fit stays in the table and is read when there is room again. Live-only
messages are dropped when the client is too slow for them. Nothing stands behind the end of the run.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from uuid import UUID

from api.http.auth import Caller
from api.streams.frame import Frame

ROOM = 200


class Mailbox:
    """Frames for one client, in order; `after` is the seq of the last stored event that was put in.

    `viewer` says which links are in them; none where nobody reads them.
    """

    def __init__(self, run: UUID, after: int, on_room: Callable[[], None], viewer: Caller | None = None) -> None:
        self.run = run
        self.after = after
        self.viewer = viewer
        self.stale = False
        self.reading = False
        self.closed = False
        self.revoked = False
        self._frames: deque[Frame] = deque()
        self._ended = False
        self._held: deque[Frame] = deque(maxlen=ROOM)
        self._filled = asyncio.Event()
        self._on_room = on_room

    @property
    def wants_events(self) -> bool:
        """Whether there may be new events in the table, and room for them."""
        return self.stale and not self.reading and not self.closed and len(self._frames) < ROOM

    @property
    def has_room(self) -> bool:
        """Whether a live-only message is taken: held back, it takes the place of an older one."""
        return not self._ended and (self.stale or self.reading or len(self._frames) < ROOM)

    def put_events(self, frames: Iterable[Frame]) -> None:
        """Take stored events in their order; one that was put in before is passed over."""
        for frame in frames:
            if frame.seq is not None and frame.seq > self.after:
                self.after = frame.seq
                if frame.end:
                    self._put_held()
                    self._ended = True
                self._put(frame)
        if not self.stale:
            self._put_held()

    def _put_held(self) -> None:
        for live in self._held:
            self._put(live)
        self._held.clear()

    def put_live(self, frame: Frame) -> None:
        """Take a live-only message, behind the stored events that are known to come before it; none behind the end."""
        if self._ended:
            return
        if self.stale or self.reading:
            self._held.append(frame)
        elif len(self._frames) < ROOM:
            self._put(frame)

    def _put(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._filled.set()

    async def take(self, seconds: float) -> list[Frame]:
        """Wait for frames and take them all; an empty list when none came in time, or when the mailbox was closed."""
        if not self._frames and not self.closed:
            try:
                async with asyncio.timeout(max(0.0, seconds)):
                    await self._filled.wait()
            except TimeoutError:
                return []
        taken = list(self._frames)
        self._frames.clear()
        if not self.closed:
            self._filled.clear()
        if self.stale:
            self._on_room()
        return taken

    def close(self) -> None:
        """Wake the reader for the last time."""
        self.closed = True
        self._filled.set()
