"""Promotion of runs: as many as the workers of a queue can take now, in the order of the ready index, where no gate is closed
and no limit is reached.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator

from models.promotion import place_limits, places, tickets
from models.promotion.tickets import Ticket
from models.runtime.bus import FREED, PROMOTE
from models.runtime.database import Connection
from scheduler.duty import Done, Duty
from scheduler.promotion.candidates import Candidate, read_candidates
from scheduler.promotion.capacity import Capacity, read_capacity
from scheduler.promotion.fair_tags import NextTags
from scheduler.promotion.gates import GateReader, Gates
from scheduler.promotion.headroom import Room, Rule, read_room
from scheduler.promotion.pacing import FILL_SECONDS, Pace
from scheduler.promotion.selection import Turn, choose

TICK_SECONDS = 0.5
AT_ONCE = 1000  # promotions of a queue in one tick: other queues get their turn in between
LINED_UP = 500
SOON_SECONDS = 0.02  # before a queue whose chosen runs did not all fit is read again


class Promotion(Duty):
    """Assigns free slots to ready runs. The broker never mirrors the backlog: a ticket is made for a free slot only."""

    wakes_on = frozenset({PROMOTE, FREED})

    def __init__(
        self, publish: Callable[[list[Ticket]], None], gates: GateReader, *, fill_s: float = FILL_SECONDS
    ) -> None:
        self._publish, self._gates = publish, gates
        self._turns: defaultdict[str, Turn] = defaultdict(Turn)
        self._paces: defaultdict[str, Pace] = defaultdict(lambda: Pace(fill_s))
        self._queues: tuple[str, ...] = ()
        self._tags = NextTags()

    def step(self, connection: Connection) -> Iterator[Done]:
        """Promote once in every queue; tickets are published after the commit."""
        yield Done(self._in_every_queue(connection))

    def _in_every_queue(self, connection: Connection) -> float:
        now = time.monotonic()
        if rest := min((self._paces[queue].wait(now) for queue in self._queues), default=0.0):
            return rest
        gates = self._gates.read(connection)
        look_again = gates.changes_in
        offered = read_capacity(connection)
        self._queues = tuple(capacity.queue for capacity in offered)
        for capacity in offered:
            if capacity.free and capacity.queue not in gates.queues:
                look_again = min(look_again, self._in_turn(connection, capacity, gates))
        return min(TICK_SECONDS, look_again)

    def _in_turn(self, connection: Connection, capacity: Capacity, gates: Gates) -> float:
        """Promote as many in one queue as its pace allows; return the seconds after which there may be more to do."""
        pace, now = self._paces[capacity.queue], time.monotonic()
        most = min(pace.allowed(capacity.free, now), AT_ONCE)
        return self._promote(connection, capacity, gates, most) if most else pace.wait(now)

    def _promote(self, connection: Connection, capacity: Capacity, gates: Gates, most: int) -> float:
        """Promote up to `most` in one queue; return the seconds after which there may be more to do."""
        rule = gates.rules.get(capacity.queue, Rule())
        room = read_room(connection, capacity.queue, most, rule, gates.agent_limits)
        if room.total <= 0:
            return TICK_SECONDS
        candidates = self._candidates(connection, capacity, gates, room, rule)
        if rule.tenant_limit is not None and self._line_up(connection, candidates):
            return 0.0
        chosen = choose(candidates, room, self._turns[capacity.queue])
        fit, pace = self._without_surplus(connection, chosen), self._paces[capacity.queue]
        if fit:
            self._publish(self._give(connection, capacity, fit, rule))
            pace.promoted(len(fit), capacity.free, time.monotonic())
        if len(fit) < len(chosen):
            return SOON_SECONDS
        return pace.wait(time.monotonic()) if len(chosen) == most < capacity.free else room.changes_in

    @staticmethod
    def _line_up(connection: Connection, candidates: list[Candidate]) -> bool:
        """Send runs that became ready before their queue limited tenants to their lines; return whether there were any."""
        strays = places.strays([run.id for run in candidates]).all(connection) if candidates else []
        if strays:
            places.line_up(strays).all(connection)
        return bool(strays)

    @staticmethod
    def _without_surplus(connection: Connection, chosen: list[Candidate]) -> list[Candidate]:
        """Leave out runs whose place is above a limit that was lowered since; they ask for a place again."""
        lined = [run.id for run in chosen if run.lined]
        surplus = set(place_limits.take_back(lined).all(connection)) if lined else set()
        return [run for run in chosen if run.id not in surplus]

    @staticmethod
    def _candidates(
        connection: Connection, capacity: Capacity, gates: Gates, room: Room, rule: Rule
    ) -> list[Candidate]:
        agents = [agent for agent in gates.serving(capacity.agents) if room.agents.get(agent, 1) > 0]
        # Many runs may have been accepted before their queue limited tenants; they are sent to their lines as they come up.
        limit = room.total if rule.tenant_limit is None else max(room.total, LINED_UP)
        return read_candidates(
            connection, capacity.queue, agents=agents, windows=gates.windows(), limit=limit, kinds=room.kinds
        )

    def _give(self, connection: Connection, capacity: Capacity, chosen: list[Candidate], rule: Rule) -> list[Ticket]:
        """Make tickets for the chosen runs; return them in the order in which the runs were chosen."""
        tags = self._tags.of(connection, capacity.queue, chosen, rule.weights)
        slot_s = rule.rate.slot_s if rule.rate else None
        given = tickets.promote([run.id for run in chosen], tags, slot_s=slot_s).all(connection)
        place = {run.id: n for n, run in enumerate(chosen)}
        return sorted(given, key=lambda ticket: place[ticket.id])
