"""Places of one kind of call in a process: a few of each API key, a few of each tenant, and a few of all.

The next call waits a moment for one. A tenant never has all places, however many keys its admin makes.
"""

import asyncio
from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple

from api.http.problems import Problem

PATIENCE_SECONDS: Final = 1.0
_RETRY_AFTER = {"retry-after": "1"}


class CallOwner(NamedTuple):
    """Whose call it is."""

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
        """Wait for a place; raise Problem `rate_limited` when patience is over."""
        held: list[asyncio.Semaphore] = []
        try:
            # In this order: a call that waits for one of all has one of the few that its key and its tenant may have.
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
        """Give back a place that was taken."""
        self._all.release()
        for name in enumerate(owner):
            self._own[name].release()
        self._leave(owner)

    def _use(self, owner: CallOwner) -> Sequence[asyncio.Semaphore]:
        """Return the places of a key and of a tenant, which are kept while one of their calls has one or waits."""
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
        "Too many calls that read are under way, of this API key, its tenant or of all. Ask again in a second, and fewer "
        "at once."
    )
    return Problem("rate_limited", detail, headers=_RETRY_AFTER)
