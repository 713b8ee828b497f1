"""What an async agent waits for: opened as soon as it is awaited, and shown to the agent in the order of what the run sees."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from taxiway.activation import Activation
from taxiway.errors import Halt, NotRecorded
from taxiway.frames import Kind
from taxiway.host.agent_loop import AgentLoop
from taxiway.host.replay_order import Entry, is_for_agent, moment, unseen
from taxiway.host.run_clock import Timer
from taxiway.host.turns import Turns
from taxiway.waits import Settled, Wait

LONG_OVERDUE: Final = 60.0
"""Seconds from which on timers that were due while the run was parked or dead do not fire each at its own time."""

MOMENT_KEY: Final = "moment"
"""What a turn sees that only says how late it is: the timers before it have fired each at its own time."""


@dataclass(eq=False)
class _Group:
    """Waits that one call awaits: all of them, or any. Its `own` ones no other call can await."""

    waits: dict[str, Wait]
    wake: str
    own: bool
    future: asyncio.Future[None]
    seen: set[str] = field(default_factory=set)

    def see(self, key: str) -> None:
        self.seen.add(key)
        if (self.wake == "any" or self.seen >= self.waits.keys()) and not self.future.done():
            self.future.set_result(None)


class Waiting:
    """The waits of one activation. Used by its loop's thread alone."""

    def __init__(self, activation: Activation, loop: AgentLoop) -> None:
        self._activation, self._loop = activation, loop
        self._groups: list[_Group] = []
        self._opened: set[str] = set()
        self._looked: set[str] = set()
        self._recorded: set[str] = set()
        self._given_up: dict[str, None] = {}
        """Waits that the code gave up before the run was live, of which no record tells yet."""
        self.turns: Turns
        """Set once, before the agent begins: each of the two asks the other."""

    @property
    def wake(self) -> str:
        """Return which of the awaited waits wake a parked run: only the code knows what it needs of those of several calls."""
        return self._groups[0].wake if len(self._groups) == 1 else "any"

    async def wait(self, waits: Sequence[Wait], wake: str, *, own: bool) -> None:
        """Return when all or any of the waits are over; the run may be parked meanwhile, then this never returns."""
        left = self._activation.left(waits, wake)
        if not left:
            return
        group = _Group({wait.key: wait for wait in left}, wake, own, self._loop.create_future())
        self._groups.append(group)
        self.turns.look()
        try:
            await group.future
        except asyncio.CancelledError:
            self._give_up(group)
            raise
        finally:
            self._groups.remove(group)

    def awaited(self) -> dict[str, Wait]:
        """Return what is awaited and not over, by its keys."""
        return {key: wait for group in self._groups for key, wait in group.waits.items() if key not in group.seen}

    def open_new(self) -> None:
        """Have what is awaited opened, as far as it is not: together, and whatever else the loop holds."""
        known = self._activation.ledger.outcome
        new = [wait for key, wait in self.awaited().items() if key not in self._opened and known(key) is None]
        if not new:
            return
        self.note_timers()
        self._opened.update(wait.key for wait in new)
        at = self.turns.stamp()
        frames = [wait.as_frame() for wait in new]
        recorded = self._activation.commit(Kind.OPEN, {"at": at, "waits": frames})
        self.turns.expect(recorded, Entry(at / 1000, landed=partial(self._is_opened, recorded)), noted=False)

    def look(self) -> bool:
        """Ask once whether what ends the awaited waits is there already. Returns whether that was asked."""
        seen = self._opened | self._looked
        new = [wait for key, wait in self.awaited().items() if key not in seen]
        self._looked.update(wait.key for wait in new)
        if not new or not self._activation.order.looks:
            return False
        self.note_timers()
        at = self.turns.stamp()
        looked = self._activation.look(new)
        if looked is None:
            return False
        self.turns.expect(looked, Entry(at / 1000, landed=lambda: None), noted=False)
        return True

    def note_timers(self) -> None:
        """Have recorded that timers have fired, before others learn what the code does since: a replay must come there too."""
        if self.turns.is_unnoted:
            self._record_turn(self.turns.stamp(), [MOMENT_KEY], [])

    def see(self, key: str) -> None:
        """Show an outcome to the agent."""
        self._activation.see(key)
        for group in self._groups:
            if key in group.waits:
                group.see(key)

    def lose(self, key: str) -> None:
        """Have the agent give up what it had given up here."""
        self._given_up.pop(key, None)
        for group in self._groups:
            if key in group.waits:
                group.future.cancel()

    def settled(self, came: list[Settled]) -> None:
        """Have recorded that the run sees these outcomes now, and then show them."""
        news = [one.key for one in came if self._activation.ledger.settle(one) and is_for_agent(one)]
        if self.turns.is_live:
            self._turn(news)

    def catch_up(self, overdue: Timer | None) -> bool:
        """Have recorded what came since the run saw something last, before and behind the timers that were due meanwhile.

        Timers that are long overdue fire at once, as if no time had passed between them: a heartbeat beats once. Returns whether
        something is recorded.
        """
        news = [key for key in unseen(self._activation.ledger) if key not in self._recorded]
        if overdue is None:
            return self._turn(news)
        now = self._loop.run_clock.real()
        early = [key for key in news if (came := self._came(key, now)) is not None and came < overdue.when]
        if early:
            return self._turn(early, at=max(self._loop.run_clock.now, *(self._came(key, now) or 0.0 for key in early)))
        if now - overdue.when > LONG_OVERDUE:
            return self._record_turn(now * 1000, [], [])
        return False

    def _came(self, key: str, now: float) -> float | None:
        settled = self._activation.ledger.outcome(key)
        return None if settled is None else moment(settled.resolved_ms, now)

    def _give_up(self, group: _Group) -> None:
        """Close waits that the agent's code has given up: people are asked no longer for what is of no more use."""
        if not group.own:
            return
        opened = [key for key in group.waits if key in self._opened or self._activation.ledger.was_opened(key)]
        self._given_up.update(dict.fromkeys(key for key in opened if key not in group.seen))
        if self.turns.is_live:
            self.withdraw()

    def withdraw(self) -> None:
        """Have recorded which waits the code has given up, so that nobody is asked for them any more."""
        if self._given_up:
            gone, self._given_up = list(self._given_up), {}
            self._turn([], gone=gone)

    def _turn(self, news: list[str], *, gone: Sequence[str] = (), at: float | None = None) -> bool:
        keys = [key for key in news if key not in self._recorded]
        if not (keys or gone):
            return False
        self._recorded.update(keys)
        return self._record_turn(self.turns.stamp(at), keys, list(gone))

    def _record_turn(self, at: float, keys: list[str], gone: list[str]) -> bool:
        if self._activation.is_stopped:
            return False
        recorded = self._activation.commit(Kind.TURN, {"at": at, "seen": keys, "gone": gone})
        self.turns.expect(recorded, Entry(at / 1000, list(keys), jump=not (keys or gone)))
        return True

    def _is_opened(self, recorded: Any) -> None:
        error = recorded.exception()
        if isinstance(error, NotRecorded):
            self._activation.stop(Halt(error.code, str(error)))
            self._activation.end()
