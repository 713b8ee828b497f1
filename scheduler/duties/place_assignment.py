"""Assignment of places: a run that competes with others for a key, or for its tenant's share, is ready once it holds a place.

See `models.promotion.places` for the model. One turn is one transaction that also deletes the changes that it answers: if the
leader dies before the commit, the next leader finds them. A new leader looks at every line once, because it cannot know what
the leader before it had left to do.
"""

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from models.blocked_on import queue_of
from models.promotion import place_limits, places
from models.promotion.places import ClosedGates, LineHead, PlaceChange, PlaceLimits, SentRun
from models.runs.effects import EffectResult
from models.runtime.bus import PROMOTE
from models.runtime.database import Connection
from scheduler.duties.conflicts import settle
from scheduler.duties.pending_lines import Lines
from scheduler.duty import Done, Duty, Fact
from scheduler.promotion.gates import GateReader

TICK_SECONDS = 0.25
SOON_SECONDS = 0.02  # before a line whose head was locked is looked at again
MOST_LINES = 200  # pending lines that one turn looks at


class Places(Duty):
    """Looks at each hint, and four times a second."""

    wakes_on = frozenset({PROMOTE})

    def __init__(self, cancel_grace_s: float, gates: GateReader) -> None:
        self._gates = gates
        self._closed = ClosedGates()
        self._grace_ms = round(cancel_grace_s * 1000)
        self._lines = Lines()

    def step(self, connection: Connection) -> Iterator[Done]:
        """Answer some of the changes, in one transaction."""
        gates = self._gates.read(connection)
        if (closed := ClosedGates(gates.closed, gates.agents)) != self._closed:
            self._closed = closed
            self._lines.restart()
        more = self._lines.find(connection)
        changes, due = places.changes().all(connection), self._lines.take(MOST_LINES)
        settled = EffectResult()
        if changes or due:
            placed, settled = self._answer(connection, changes, due)
            yield _placed(placed)
            yield _settled(settled)
        if len(changes) == places.BATCH or more:
            yield Done(0.0)
        elif self._lines.waiting or not settled.done:
            yield Done(SOON_SECONDS)
        else:
            yield Done(min(TICK_SECONDS, gates.changes_in))

    def _answer(
        self, connection: Connection, changes: list[PlaceChange], due: list[str]
    ) -> tuple[list[SentRun], EffectResult]:
        try:
            with connection.transaction():
                return self._turn(connection, changes, due)
        except Exception:
            self._lines.again(due)
            raise

    def _turn(
        self, connection: Connection, changes: list[PlaceChange], due: list[str]
    ) -> tuple[list[SentRun], EffectResult]:
        """Assign places after these changes; return the runs that hold all their places now, and the settled conflicts."""
        runs = list(dict.fromkeys(change.run_id for change in changes if change.run_id))
        locked = places.lock(runs).all(connection) if runs else []
        if changes:
            places.done([change.id for change in changes], locked).all(connection)
        limits = _Limits(places.limits().all(connection))
        for queue in dict.fromkeys(change.queue for change in changes if change.queue):
            self._changed(connection, queue, limits)
        freed = places.free(locked).all(connection) if locked else []
        placed = self._move_up(connection, locked, dict.fromkeys([*due, *freed]), limits)
        return placed, settle(connection, locked, self._grace_ms)

    def _changed(self, connection: Connection, queue: str, limits: "_Limits") -> None:
        """Mark all lines of a queue whose limits changed as pending; count its runs in flight from now on."""
        self._lines.restart(queue)
        if limits.of_tenants(queue):
            while len(place_limits.count_in(queue).all(connection)) == places.BATCH:
                pass
            place_limits.count_later(queue).one(connection)
        place_limits.let_go(queue).all(connection)

    def _move_up(
        self, connection: Connection, asking: list[UUID], lines: dict[str, None], limits: "_Limits"
    ) -> list[SentRun]:
        """Send the asking runs to their lines and admit heads until no run moves; return the runs that are ready.

        Takes two rounds at most: from the key's line to the tenant's.
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
        freed = places.give_way(most, self._closed).all(connection)
        self._lines.again(line for line in freed if line not in most)
        heads = places.admit(most, self._closed).all(connection)
        self._lines.again(row.line for row in heads if row.left_out)
        if len(heads) >= places.BATCH:
            self._lines.again(most)
        return heads


def _placed(runs: list[SentRun]) -> Done:
    facts = [Fact.of("run.placed", level="debug", run=run.id, queue=run.queue) for run in runs]
    return Done(queues=[run.queue for run in runs], facts=facts)


def _settled(result: EffectResult) -> Done:
    facts = [Fact.of("run.canceled", run=event.run_id, reason=event.reason) for event in result.events]
    return Done.of_moves(result.events, *facts, workers=result.workers)


class _Limits:
    """Number of places of each line; None: no limit."""

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
