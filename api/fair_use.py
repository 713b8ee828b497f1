"""Lets searches take turns, so that whoever searches much keeps neither others who search from it, nor those who enqueue.

An API key has a few under way in each process; its next one waits a moment, and is then sent away. So do those of all keys
together: the other threads and connections of the process are for calls that change something. Waiting takes neither.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

from fastapi.concurrency import run_in_threadpool

from api.problems import Problem

T = TypeVar("T")

AT_ONCE = 4
"""Searches that a process carries out at the same time, of all keys: fewer than half of its connections."""
PATIENCE_SECONDS = 1.0
_RETRY_AFTER = {"retry-after": "1"}


class FairUse:
    """The turns of one process."""

    def __init__(self, per_key: int) -> None:
        self._per_key = per_key
        self._all = asyncio.Semaphore(AT_ONCE)
        self._keys: dict[UUID, asyncio.Semaphore] = {}
        self._users: dict[UUID, int] = {}

    async def search(self, key: UUID, act: Callable[[], T]) -> T:
        """Carry out a search in a thread when it is its turn; raises Problem `rate_limited`."""
        async with self._turn(key):
            return await run_in_threadpool(act)

    @asynccontextmanager
    async def _turn(self, key: UUID) -> AsyncIterator[None]:
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        own = self._keys.setdefault(key, asyncio.Semaphore(self._per_key))
        self._users[key] = self._users.get(key, 0) + 1
        try:
            async with _place(own, deadline), _place(self._all, deadline):
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._keys[key]


@asynccontextmanager
async def _place(places: asyncio.Semaphore, deadline: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(deadline):
            await places.acquire()
    except TimeoutError:
        detail = "Too many searches are under way, of this API key or of all. Ask again in a second, and fewer at once."
        raise Problem("rate_limited", detail, headers=_RETRY_AFTER) from None
    try:
        yield
    finally:
        places.release()
