"""Lets searches take turns, so that whoever searches much keeps neither others who search from it, nor those who enqueue.

An API key has a few under way in each process; its next one waits a moment, and is then sent away. So do those of all keys
together: the other threads and connections of the process are for calls that change something. Waiting takes neither.
A tenant never has all places, however many keys its admin makes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool

from api.auth import Caller
from api.problems import Problem

T = TypeVar("T")

AT_ONCE = 4
"""Searches that a process carries out at the same time, of all keys: fewer than half of its connections."""
OF_A_TENANT = AT_ONCE - 1
PATIENCE_SECONDS = 1.0
_RETRY_AFTER = {"retry-after": "1"}


class FairUse:
    """The turns of one process."""

    def __init__(self, per_key: int) -> None:
        self._per_key = per_key
        self._all = asyncio.Semaphore(AT_ONCE)
        self._places: dict[object, asyncio.Semaphore] = {}
        self._users: dict[object, int] = {}

    async def search(self, caller: Caller, act: Callable[[], T]) -> T:
        """Carry out a search in a thread when it is its turn; raises Problem `rate_limited`."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        async with AsyncExitStack() as held:
            # In this order: who waits for a place of all has one of the few that its key and its tenant may have.
            key = held.enter_context(self._places_of(caller.key, self._per_key))
            tenant = held.enter_context(self._places_of(caller.tenant, OF_A_TENANT))
            for places in (key, tenant, self._all):
                await held.enter_async_context(_place(places, deadline))
            return await run_in_threadpool(act)

    @contextmanager
    def _places_of(self, whose: object, most: int) -> Iterator[asyncio.Semaphore]:
        """Give the places of a key or a tenant, which are kept while somebody uses them or waits for one."""
        own = self._places.setdefault(whose, asyncio.Semaphore(most))
        self._users[whose] = self._users.get(whose, 0) + 1
        try:
            yield own
        finally:
            self._users[whose] -= 1
            if not self._users[whose]:
                del self._users[whose], self._places[whose]


@asynccontextmanager
async def _place(places: asyncio.Semaphore, deadline: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(deadline):
            await places.acquire()
    except TimeoutError:
        detail = "Too many searches are under way, of this key, its tenant or of all. Ask again in a second, and fewer at once."
        raise Problem("rate_limited", detail, headers=_RETRY_AFTER) from None
    try:
        yield
    finally:
        places.release()
