"""Places of one kind of call in a process: a few of each API key, and a few of all. The next call waits a moment for one."""

import asyncio
from collections.abc import Hashable
from typing import Final

from api.problems import Problem

PATIENCE_SECONDS: Final = 1.0
_RETRY_AFTER = {"retry-after": "1"}


class Places:
    """The places of one kind of call in this process. Used on the event loop only."""

    def __init__(self, per_key: int, at_once: int) -> None:
        self._per_key = per_key
        self._all = asyncio.Semaphore(at_once)
        self._keys: dict[Hashable, asyncio.Semaphore] = {}
        self._users: dict[Hashable, int] = {}

    async def take(self, key: Hashable, patience: float | None = PATIENCE_SECONDS) -> None:
        """Wait for a place; raise Problem `rate_limited` when patience is over."""
        own = self._keys.setdefault(key, asyncio.Semaphore(self._per_key))
        self._users[key] = self._users.get(key, 0) + 1
        try:
            async with asyncio.timeout(patience):
                await own.acquire()
                try:
                    await self._all.acquire()
                except BaseException:
                    own.release()
                    raise
        except BaseException as error:
            self._leave(key)
            if isinstance(error, TimeoutError):
                raise _too_many() from None
            raise

    def give_back(self, key: Hashable) -> None:
        """Give back a place that was taken."""
        self._all.release()
        self._keys[key].release()
        self._leave(key)

    def _leave(self, key: Hashable) -> None:
        self._users[key] -= 1
        if not self._users[key]:
            del self._users[key], self._keys[key]


def _too_many() -> Problem:
    detail = (
        "Too many calls that read are under way, of this API key or of all. Ask again in a second, and fewer at once."
    )
    return Problem("rate_limited", detail, headers=_RETRY_AFTER)
