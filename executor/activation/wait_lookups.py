"""Answers an agent's question before it parks: whether what it would wait for is there already.

Then the waits are opened, the host is told what came of them, and the agent goes on in this activation. Otherwise, or where that
cannot be found out, the answer says nothing, and the agent parks. All of it happens in the thread for outcomes.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import psycopg
from taxiway.frames import Frame, Kind

from executor.activation.async_frames import MOST_WAITS
from executor.activation.frame_fields import new_wait
from executor.activation.wait_outcomes import Outcomes, Reader
from executor.recorder.connection import Decision
from models.errors import DatabaseAway
from models.moves import NewWait
from models.runs import lookups, opening
from models.runs.recording import Fence, Limits


class Put(Protocol):
    """Has a numbered item recorded; `ack` is called where the host would be told that it is, `unrecorded` where it is not."""

    def __call__(
        self, n: int, item: Decision, size: int, *, ack: Callable[[], None], unrecorded: Callable[[], None]
    ) -> None: ...


class Looking:
    """What one activation asks before it parks."""

    def __init__(
        self,
        worker: Reader,
        fence: Fence,
        tenant: str,
        limits: Limits,
        *,
        put: Put,
        soon: Callable[[Callable[[], None]], None],
        outcomes: Outcomes,
        tell: Callable[[Frame], None],
        is_leaving: Callable[[], bool],
    ) -> None:
        self._worker, self._fence, self._tenant, self._limits = worker, fence, tenant, limits
        self._put, self._soon = put, soon
        self._outcomes, self._tell, self._is_leaving = outcomes, tell, is_leaving

    def take(self, frame: Frame, in_flight: str | None) -> None:
        """Take in a `look` frame; raises Refused for a request that no wait may have, ValueError for what is malformed."""
        n, items = int(frame["n"]), frame["waits"]
        if not isinstance(items, list) or not 1 <= len(items) <= MOST_WAITS:
            raise ValueError("waits")
        new = [new_wait(item, self._tenant) for item in items]
        if len({wait.key for wait in new}) < len(new):
            raise ValueError("a wait twice")
        # One that waits for all parks where some would be left: they would end while it is on its way, again and again.
        enough = len(new) if frame.get("wake") == "all" else 1
        # A run that is to stop parks, and its pause or its cancel is honoured there.
        if self._is_leaving():
            self._answer(n, found=False)
        else:
            self._soon(lambda: self._look(n, new, enough, in_flight))

    def _look(self, n: int, new: Sequence[NewWait], enough: int, in_flight: str | None) -> None:
        enough -= lookups.due(new)
        if enough > 0 and not self._is_news(new, enough):
            self._answer(n, found=False)
            return
        self._outcomes.awaited()
        item = opening.opening(self._fence, n, new, self._limits, in_flight, due=True)
        size = sum(len(str(wait.request)) + 300 for wait in new)
        found = lambda: self._outcomes.look(then=lambda: self._answer(n, found=True))  # noqa: E731
        self._put(n, item, size, ack=found, unrecorded=lambda: self._answer(n, found=False))

    def _is_news(self, new: Sequence[NewWait], enough: int) -> bool:
        try:
            return any(self._worker.read(lookups.news(self._fence, new, enough)))
        except (DatabaseAway, psycopg.Error):  # the park, which is tried until the database is back, finds out
            return False

    def _answer(self, n: int, *, found: bool) -> None:
        said: dict[str, Any] = {"value": "found"} if found else {}
        self._tell({"frame": Kind.ACK, "n": n, **said})
