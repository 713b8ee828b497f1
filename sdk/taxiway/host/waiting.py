"""Waits of an async agent: they are opened when they are awaited, and their outcomes are shown at their turns."""

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
"""Seconds after which timers that were due while the run was parked or dead fire together, not each at its own time."""

MOMENT_KEY: Final = "moment"
"""The key of a turn that only records the time: all timers before it have fired, each at its own time."""


@dataclass(eq=False)
class _Group:
    """Waits that one call awaits, all or any of them. No other call can await those of a group with `own`."""

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
    """The waits of one activation. Used by its loop's thread only."""

    def __init__(self, activation: Activation, loop: AgentLoop) -> None:
        self._activation, self._loop = activation, loop
        self._groups: list[_Group] = []
        self._opened: set[str] = set()
        self._looked: set[str] = set()
        self._recorded: set[str] = set()
        self._given_up: dict[str, None] = {}
        """Waits that the code gave up, which is not recorded yet."""
        self.turns: Turns
        """Set once, before the agent begins, because each of the two objects calls the other."""

    @property
    def wake(self) -> str:
        """Return whether `all` or `any` awaited waits wake a parked run: any for several calls, as only the code knows more."""
        return self._groups[0].wake if len(self._groups) == 1 else "any"

    async def wait(self, waits: Sequence[Wait], wake: str, *, own: bool) -> None:
        """Return when all or any of the waits are resolved; if the run is parked before that, this never returns."""
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
        """Return the awaited open waits by their keys."""
        return {key: wait for group in self._groups for key, wait in group.waits.items() if key not in group.seen}

    def open_new(self) -> None:
        """Open the awaited waits that are not open yet, all together, while the run keeps its slot."""
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
        """Ask the worker once whether the awaited waits have outcomes already; return whether it was asked."""
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
        """Record that timers have fired, before others see effects of the code: a replay must reach that point too."""
        if self.turns.is_unnoted:
            self._record_turn(self.turns.stamp(), [MOMENT_KEY], [])

    def see(self, key: str) -> None:
        """Show an outcome to the agent."""
        self._activation.see(key)
        for group in self._groups:
            if key in group.waits:
                group.see(key)

    def lose(self, key: str) -> None:
        """Cancel what the agent had given up here."""
        self._given_up.pop(key, None)
        for group in self._groups:
            if key in group.waits:
                group.future.cancel()

    def settled(self, arrived: list[Settled]) -> None:
        """Record that the run sees these outcomes now, and show them then."""
        news = [one.key for one in arrived if self._activation.ledger.settle(one) and is_for_agent(one)]
        if self.turns.is_live:
            self._turn(news)

    def catch_up(self, overdue: Timer | None) -> bool:
        """Record the outcomes that arrived since the run last saw something, in order with the timers that were due then.

        Timers that are long overdue fire together, as if no time had passed between them: a heartbeat beats once. Returns
        whether something is recorded.
        """
        news = [key for key in unseen(self._activation.ledger) if key not in self._recorded]
        if overdue is None:
            return self._turn(news)
        now = self._loop.run_clock.real()
        early = [key for key in news if (arrival := self._arrival(key, now)) is not None and arrival < overdue.when]
        if early:
            return self._turn(
                early, at=max(self._loop.run_clock.now, *(self._arrival(key, now) or 0.0 for key in early))
            )
        if now - overdue.when > LONG_OVERDUE:
            return self._record_turn(now * 1000, [], [])
        return False

    def _arrival(self, key: str, now: float) -> float | None:
        settled = self._activation.ledger.outcome(key)
        return None if settled is None else moment(settled.resolved_ms, now)

    def _give_up(self, group: _Group) -> None:
        """Close waits that the agent's code has given up, so that people are no longer asked for them."""
        if not group.own:
            return
        opened = [key for key in group.waits if key in self._opened or self._activation.ledger.was_opened(key)]
        self._given_up.update(dict.fromkeys(key for key in opened if key not in group.seen))
        if self.turns.is_live:
            self.withdraw()

    def withdraw(self) -> None:
        """Record the waits that the code has given up, so that people are no longer asked for them."""
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
