"""Gives and takes places: a run that competes with others for a key, or for its tenant's share, becomes ready when it holds one.

See `models.promotion.places` for the picture. All that one turn gives and takes is one transaction, together with the changes
that it answers: a leader that dies in between leaves them to the next. A new leader looks at every line once, for it cannot know
what another one still had to do.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from models.blocked_on import queue_of
from models.promotion import place_limits, places
from models.promotion.places import ClosedGates, LineHead, PlaceChange, PlaceLimits, SentRun
from models.runs.effects import EffectResult
from models.runs.public_event import public
from models.runtime.bus import PROMOTE, Bus, worker_channel
from models.runtime.database import Connection
from models.runtime.facts import fact
from scheduler.duties.conflicts import settle
from scheduler.duties.pending_lines import Lines
from scheduler.promotion.gates import GateReader

TICK_SECONDS = 0.25
SOON_SECONDS = 0.02  # before a line is looked at again of which somebody held the head
MOST_LINES = 200  # of those that are only looked at in case


class Places:
    """Looks at each hint, and four times a second."""

    def __init__(self, bus: Bus, cancel_grace_s: float, gates: GateReader) -> None:
        self._bus, self._gates = bus, gates
        self._shut = ClosedGates()
        self._grace_ms = round(cancel_grace_s * 1000)
        self._lines = Lines()

    def step(self, connection: Connection) -> float:
        """Answer some of what changed, in one transaction."""
        gates = self._gates.read(connection)
        if (shut := ClosedGates(gates.closed, gates.agents)) != self._shut:
            self._shut = shut
            self._lines.restart()
        more = self._lines.find(connection)
        changes, due = places.changes().all(connection), self._lines.take(MOST_LINES)
        folded = self._answer(connection, changes, due) if changes or due else EffectResult()
        if len(changes) == places.BATCH or more:
            return 0.0
        if self._lines.waiting or not folded.done:
            return SOON_SECONDS
        return min(TICK_SECONDS, gates.changes_in)

    def _answer(self, connection: Connection, changes: list[PlaceChange], due: list[str]) -> EffectResult:
        placed: list[SentRun] = []
        try:
            with connection.transaction():
                folded = self._turn(connection, changes, due, placed)
        except Exception:
            self._lines.again(due)
            raise
        self._tell(folded, placed)
        return folded

    def _turn(
        self, connection: Connection, changes: list[PlaceChange], due: list[str], placed: list[SentRun]
    ) -> EffectResult:
        """Draw the consequences; who holds all its places now is added to `placed`."""
        runs = list(dict.fromkeys(change.run_id for change in changes if change.run_id))
        locked = places.lock(runs).all(connection) if runs else []
        if changes:
            places.done([change.id for change in changes], locked).all(connection)
        limits = _Limits(places.limits().all(connection))
        for queue in dict.fromkeys(change.queue for change in changes if change.queue):
            self._changed(connection, queue, limits)
        freed = places.free(locked).all(connection) if locked else []
        placed += self._move_up(connection, locked, dict.fromkeys([*due, *freed]), limits)
        return settle(connection, locked, self._grace_ms)

    def _changed(self, connection: Connection, queue: str, limits: "_Limits") -> None:
        """Look at all lines of a queue whose limits changed; what is in flight counts from now on."""
        self._lines.restart(queue)
        if limits.of_tenants(queue):
            while len(place_limits.count_in(queue).all(connection)) == places.BATCH:
                pass
            place_limits.count_later(queue).one(connection)
        place_limits.let_go(queue).all(connection)

    def _move_up(
        self, connection: Connection, asking: list[UUID], lines: dict[str, None], limits: "_Limits"
    ) -> list[SentRun]:
        """Send who asks to the lines, and admit heads, until nobody moves any more; gives those that are ready.

        Twice at most: from the key's line to the tenant's.
        """
        ready: list[SentRun] = []
        while asking or lines:
            sent = places.send(asking).all(connection) if asking else []
            ready += [row for row in sent if row.line is None]
            most = {line: limits.of(line) for line in [*lines, *(row.line for row in sent if row.line)]}
            heads = self._admit(connection, most) if most else []
            asking, lines = [row.id for row in heads if not row.left_out], {}
        return ready

    def _admit(self, connection: Connection, most: Mapping[str, int | None]) -> list[LineHead]:
        freed = places.give_way(most, self._shut).all(connection)
        self._lines.again(line for line in freed if line not in most)
        heads = places.admit(most, self._shut).all(connection)
        self._lines.again(row.line for row in heads if row.left_out)
        if len(heads) >= places.BATCH:
            self._lines.again(most)
        return heads

    def _tell(self, folded: EffectResult, placed: list[SentRun]) -> None:
        for row in placed:
            fact("run.placed", level="debug", run=row.id, queue=row.queue)
        for queue in {row.queue for row in placed}:
            self._bus.wake_up(PROMOTE, queue)
        for event in folded.events:
            fact("run.canceled", run=event.run_id, reason=event.reason)
            self._bus.publish_event(event.tenant, public(event))
            self._bus.wake_up(PROMOTE, event.queue)
        for worker in set(folded.workers):
            self._bus.wake_up(worker_channel(worker))


class _Limits:
    """How many places each line has; None: as many as are asked for."""

    def __init__(self, rows: Iterable[PlaceLimits]) -> None:
        self._queues = {row.name: row for row in rows}

    def of(self, line: str) -> int | None:
        queue = self._queues.get(queue_of(line))
        if line.startswith("key:"):
            return queue.key_limit if queue else 1
        return queue.tenant_limit if queue else None

    def of_tenants(self, queue: str) -> int | None:
        found = self._queues.get(queue)
        return found.tenant_limit if found else None
