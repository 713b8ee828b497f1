"""Live messages of a tenant for one client; a client that is too slow loses the oldest."""

import asyncio
from collections import deque
from typing import Any

from api.http.auth import Caller

ROOM = 1000


class Board:
    """Messages of the bus, in order of arrival. Used on the event loop only."""

    def __init__(self, viewer: Caller) -> None:
        self.viewer: Caller | None = viewer
        self.closed = False
        self.revoked = False
        self._messages: deque[dict[str, Any]] = deque(maxlen=ROOM)
        self._filled = asyncio.Event()

    def put(self, message: dict[str, Any]) -> None:
        """Append a message; a full board drops its oldest."""
        self._messages.append(message)
        self._filled.set()

    async def take(self, seconds: float) -> list[dict[str, Any]]:
        """Wait for messages and return all of them; an empty list if none came in time or the board was closed."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._filled.wait()
        except TimeoutError:
            return []
        taken = list(self._messages)
        self._messages.clear()
        if not self.closed:
            self._filled.clear()
        return taken

    def close(self) -> None:
        """Close the board and wake its reader for the last time."""
        self.closed = True
        self._filled.set()
