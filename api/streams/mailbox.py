"""State of one open stream: its position in the run's events, and the frames that wait to be sent.

A mailbox never loses a stored event: one that does not fit stays in the table and is read once there is room. Live-only
messages are dropped if the client is too slow. Nothing follows the run's `end`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from uuid import UUID

from api.http.auth import Caller
from api.streams.frame import Frame

ROOM = 200


class Mailbox:
    """Frames for one client, in order. Used on the event loop only.

    `after` is the seq of the newest stored event that was put in. `viewer` decides which links the frames contain; without a
    viewer they contain none.
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
        """Whether the table may hold new events, and the mailbox has room for them."""
        return self.stale and not self.reading and not self.closed and len(self._frames) < ROOM

    @property
    def has_room(self) -> bool:
        """Whether a live-only message is accepted. While the mailbox is stale, it may replace an older one."""
        return not self._ended and (self.stale or self.reading or len(self._frames) < ROOM)

    def put_events(self, frames: Iterable[Frame]) -> None:
        """Append stored events in order; skip those that were put in before."""
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
        """Append a live-only message after the stored events known to precede it; drop it after the run's end."""
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
        """Wait for frames and return all of them; an empty list if none came in time or the mailbox was closed."""
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
        """Close the mailbox and wake its reader for the last time."""
        self.closed = True
        self._filled.set()
