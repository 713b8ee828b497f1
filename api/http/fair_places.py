"""Concurrency limits of one kind of call in a process: for each API key, for each tenant, and for all.

A call over a limit waits a moment for a place. One tenant never takes all places, however many keys its admin makes.
"""

import asyncio
from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple

from api.http.problems import Problem

PATIENCE_SECONDS: Final = 1.0
_RETRY_AFTER = {"retry-after": "1"}


class CallOwner(NamedTuple):
    """The API key and the tenant that a call counts for."""

    key: Hashable
    tenant: Hashable


class Places:
    """The places of one kind of call in this process. Used on the event loop only."""

    def __init__(self, per_key: int, per_tenant: int, at_once: int) -> None:
        self._most = (per_key, per_tenant)
        self._all = asyncio.Semaphore(at_once)
        self._own: dict[Hashable, asyncio.Semaphore] = {}
        self._users: dict[Hashable, int] = {}

    async def take(self, owner: CallOwner, patience: float | None = PATIENCE_SECONDS) -> None:
        """Wait for a place; raises Problem `rate_limited` after `patience` seconds."""
        held: list[asyncio.Semaphore] = []
        try:
            # The shared limit last: the calls of one key that wait for it are bounded by the key's own limit.
            async with asyncio.timeout(patience):
                for places in (*self._use(owner), self._all):
                    await places.acquire()
                    held.append(places)
        except BaseException as error:
            for places in held:
                places.release()
            self._leave(owner)
            if isinstance(error, TimeoutError):
                raise _too_many() from None
            raise

    def give_back(self, owner: CallOwner) -> None:
        """Release a place."""
        self._all.release()
        for name in enumerate(owner):
            self._own[name].release()
        self._leave(owner)

    def _use(self, owner: CallOwner) -> Sequence[asyncio.Semaphore]:
        """Return the semaphores of a key and its tenant; they live while one of their calls holds a place or waits."""
        for name in enumerate(owner):
            self._own.setdefault(name, asyncio.Semaphore(self._most[name[0]]))
            self._users[name] = self._users.get(name, 0) + 1
        return [self._own[name] for name in enumerate(owner)]

    def _leave(self, owner: CallOwner) -> None:
        for name in enumerate(owner):
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name], self._own[name]


def _too_many() -> Problem:
    detail = (
        "Too many reads are running, for this API key, its tenant or all together. Try again in a second, with fewer calls "
        "at the same time."
    )
    return Problem("rate_limited", detail, headers=_RETRY_AFTER)
