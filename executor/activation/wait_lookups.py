"""Lookup before a park: whether the outcomes that an agent would wait for exist already.

If they do, the waits are opened, the host receives their outcomes, and the agent continues in this activation. Otherwise, or if
the lookup fails, the answer is empty and the agent parks. All of this happens in the outcomes thread.
"""

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from taxiway.frames import Frame, Kind

from executor.activation.async_frames import MOST_WAITS
from executor.activation.frame_fields import new_wait
from executor.activation.host_items import HostItem
from executor.activation.wait_outcomes import Outcomes, OutcomeServices
from models.errors import DatabaseAway
from models.moves import NewWait
from models.runs import lookups, opening
from models.runs.recording import Fence, Limits


class Looking:
    """The lookups of one activation before it parks. `take` is for the slot's thread only."""

    def __init__(
        self,
        worker: OutcomeServices,
        fence: Fence,
        tenant: str,
        limits: Limits,
        *,
        put: Callable[[HostItem], None],
        soon: Callable[[Callable[[], None]], None],
        outcomes: Outcomes,
        send: Callable[[Frame], None],
        is_leaving: Callable[[], bool],
    ) -> None:
        self._worker, self._fence, self._tenant, self._limits = worker, fence, tenant, limits
        self._put, self._soon = put, soon
        self._outcomes, self._send, self._is_leaving = outcomes, send, is_leaving

    def take(self, frame: Frame, in_flight: str | None) -> None:
        """Handle a `look` frame; raise Refused for a request that no wait may have, ValueError if it is malformed."""
        n, items = int(frame["n"]), frame["waits"]
        if not isinstance(items, list) or not 1 <= len(items) <= MOST_WAITS:
            raise ValueError("waits")
        new = [new_wait(item, self._tenant) for item in items]
        if len({wait.key for wait in new}) < len(new):
            raise ValueError("a wait twice")
        # A park for all waits needs all outcomes: with fewer, the agent would return here for each of the rest.
        enough = len(new) if frame.get("wake") == "all" else 1
        # A run that is being stopped parks; its pause or cancel is applied there.
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
        self._put(HostItem(n, item, size, acknowledge=found, unrecorded=lambda: self._answer(n, found=False)))

    def _is_news(self, new: Sequence[NewWait], enough: int) -> bool:
        try:
            return any(self._worker.read(lookups.news(self._fence, new, enough)))
        except (DatabaseAway, psycopg.Error):  # the park, which retries until the database is back, finds out
            return False

    def _answer(self, n: int, *, found: bool) -> None:
        answer: dict[str, Any] = {"value": "found"} if found else {}
        self._send({"frame": Kind.ACK, "n": n, **answer})
