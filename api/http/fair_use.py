"""Turns of calls that only read: a few run at the same time for each API key, for each tenant, and in total.

A call that waits for its turn holds no thread and no connection.

A read costs the process some milliseconds of its only event loop. Many concurrent readers would delay every enqueue, however
cheap each read is: 20 readers of `/v1/capacity` made an enqueue take 99 ms instead of 8. Searches can take seconds of the
database instead. They have places of their own, so that no quick read waits behind them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from typing import Final, TypeVar

from fastapi.concurrency import run_in_threadpool

from api.http.auth import Caller
from api.http.fair_places import PATIENCE_SECONDS, CallOwner, Places

T = TypeVar("T")

READS_PER_KEY: Final = 2
READS_AT_ONCE: Final = 3
"""Concurrent reads of a process, of all keys. More would gain nothing: they share one event loop."""
OF_A_TENANT: Final = 2
"""Concurrent reads, and concurrent searches, of one tenant: fewer than of all."""
SEARCHES_AT_ONCE: Final = 3
"""Concurrent searches of a process, of all keys: fewer than half of its database connections."""
WRITES_FIRST_SECONDS: Final = 0.02
"""How long a read that has its place lets writes go first. The limit keeps steady writes from starving readers."""
SEARCH_AFTER_WRITES_SECONDS: Final = 0.05
"""The same for a search, which then takes tens of milliseconds of the process."""
SEARCH_ALONE_SECONDS: Final = 0.1
"""How long the next search waits for the previous one. Two that write long pages only share the process; behind one that waits
for the database, the next starts after this time."""


class Turn:
    """The place of one read. Used by the call's task only."""

    def __init__(self, places: Places, owner: CallOwner) -> None:
        self._places, self._owner, self._holds = places, owner, False

    async def begin(self, patience: float | None) -> None:
        """Wait for the place; raises Problem `rate_limited` after `patience` seconds."""
        await self._places.take(self._owner, patience)
        self._holds = True

    def end(self) -> None:
        """Release the place, once."""
        if self._holds:
            self._holds = False
            self._places.give_back(self._owner)


_current: ContextVar[Turn | None] = ContextVar("turn", default=None)


class FairUse:
    """The turns of one process. Used on the event loop only."""

    def __init__(self, searches_per_key: int) -> None:
        self._writes = 0
        self._no_write = asyncio.Event()
        self._no_write.set()
        self._next_search = asyncio.Lock()
        self._reads = Places(READS_PER_KEY, OF_A_TENANT, READS_AT_ONCE)
        self._searches = Places(searches_per_key, OF_A_TENANT, SEARCHES_AT_ONCE)

    async def read(self, owner: CallOwner) -> Turn:
        """Wait for the turn of a read; raises Problem `rate_limited`."""
        turn = Turn(self._reads, owner)
        await turn.begin(PATIENCE_SECONDS)
        try:
            await self._after_writes(WRITES_FIRST_SECONDS)
        except BaseException:
            turn.end()
            raise
        _current.set(turn)
        return turn

    async def _after_writes(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._no_write.wait()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold back reads that start while this write runs; they wait WRITES_FIRST_SECONDS at most."""
        self._writes += 1
        self._no_write.clear()
        try:
            yield
        finally:
            self._writes -= 1
            if not self._writes:
                self._no_write.set()

    async def search(self, caller: Caller, act: Callable[[], T]) -> T:
        """Run a search in a thread when its turn comes, after the call's read turn ends. Raises Problem `rate_limited`."""
        turn, owner = _current.get(), CallOwner(caller.key, caller.tenant)
        if turn is not None:
            turn.end()
        await self._searches.take(owner)
        try:
            if turn is None:  # the call itself is a write
                return await run_in_threadpool(act)
            async with self._next_search:
                await self._after_writes(SEARCH_AFTER_WRITES_SECONDS)
                task = asyncio.ensure_future(run_in_threadpool(act))
                await asyncio.wait([task], timeout=SEARCH_ALONE_SECONDS)
            return await task
        finally:
            self._searches.give_back(owner)


@asynccontextmanager
async def without_turn() -> AsyncIterator[None]:
    """Release the call's turn while it waits for something else; then wait for its turn again, without a time limit."""
    turn = _current.get()
    if turn is not None:
        turn.end()
    yield
    if turn is not None:
        await turn.begin(patience=None)
