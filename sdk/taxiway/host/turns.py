"""Turns of an async agent: it sees one thing at a time, in an order that is equal in every activation of its run.

Recorded values, outcomes of waits and timers of the agent's code are entries. The next entry is shown only while no code of the
agent is ready to run. A replay shows the recorded entries in their order and lets nothing new begin. Then the run is live, and
sees new entries in the order in which they are recorded. So code that depends on what comes first takes the same path again.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from taxiway.host.agent_loop import AgentLoop
from taxiway.host.replay_order import Entry
from taxiway.host.run_clock import MOMENT, Timer
from taxiway.host.task_paths import AgentTask

MAX_BUSY_TURNS: Final = 500
"""Turns of the loop after which the next entry is shown although the agent's code never rests, for example polls."""
UNWINDING: Final = 1.0
"""Seconds for which all other entries wait for the end of a cancelled step, which must not continue."""


class Turns:
    """The order of what one activation sees. Used by its loop's thread only.

    `see` is called for each wait whose outcome is shown, and `lose` for each that was given up. `catch_up` is called after the
    whole past was shown, with the timer that is overdue then (None if none is); it may record something to be shown first, and
    returns whether it did. `on_rest` is called after everything was shown; it returns whether it made something happen.
    """

    def __init__(
        self,
        loop: AgentLoop,
        past: list[Entry],
        *,
        see: Callable[[str], None],
        lose: Callable[[str], None],
        catch_up: Callable[[Timer | None], bool],
        on_rest: Callable[[], bool],
    ) -> None:
        self._loop, self._clock, self._timers = loop, loop.run_clock, loop.run_timers
        self._past = deque(past)
        self._left: dict[str, Entry] = {}
        self._coming: deque[Entry] = deque()
        self._entry: Entry | None = None
        self._asked: dict[str, asyncio.Future[None]] = {}
        self._ever_asked: set[str] = set()
        self._see, self._lose, self._catch_up, self._on_rest = see, lose, catch_up, on_rest
        self._live: asyncio.Future[None] = loop.create_future()
        self._going_live = False
        self._held = 0
        self._under_way = 0
        self._stamped = 0.0
        self._fired = -math.inf
        self._noted = 0.0
        self._probing = False
        self._stirs = 0
        self._stirs_seen = 0
        self._restless = 0
        loop.stirred = self._stirred

    @property
    def is_live(self) -> bool:
        """Whether the run has seen all records."""
        return self._live.done()

    @property
    def is_settled(self) -> bool:
        """Whether no entry waits to be recorded or shown."""
        return not (self._under_way or self._coming or self._entry or self._held)

    # Called by the agent's side.

    async def seen(self, key: str) -> None:
        """Return at the turn of a recorded step; raise CancelledError for a step that the agent had given up."""
        await self.ask(key)

    def ask(self, key: str) -> asyncio.Future[None]:
        """Return a future that ends at the turn of this key."""
        future = self._asked.get(key)
        if future is None or future.done():
            future = self._asked[key] = self._loop.create_future()
            self._ever_asked.add(key)
            future.add_done_callback(lambda done: self._forget(key, done))
            self.look()
        return future

    async def live(self) -> None:
        """Return when something new may happen."""
        if not self._live.done():
            self.look()
            await asyncio.shield(self._live)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Show nothing else while the agent waits for an answer that is not recorded."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            self.look()

    @contextmanager
    def unwinding(self) -> Iterator[None]:
        """Show nothing else while the present task, after a cancel, unwinds from code that is not the agent's."""
        task = asyncio.current_task()
        with ExitStack() as stack:
            if isinstance(task, AgentTask):

                def hold() -> None:
                    task.on_cancel = None
                    held = ExitStack()
                    held.enter_context(self.holding())
                    stack.callback(held.close)
                    self._loop.call_ours_in(UNWINDING, held.close)

                task.on_cancel = hold
                stack.callback(setattr, task, "on_cancel", None)
            yield

    # Called for new records.

    def stamp(self, at: float | None = None) -> float:
        """Return the time of an item that is recorded now, in milliseconds: after all seen entries, before all later ones.

        `at` is an earlier time on the run's clock at which the item arrived.
        """
        first = self._timers.first()
        now = self._clock.real() if at is None else at
        moment = max(self._clock.now, now if first is None else min(now, first.when), self._fired + MOMENT / 2)
        self._stamped = max(self._stamped, moment * 1000)
        return self._stamped

    @property
    def is_unnoted(self) -> bool:
        """Whether timers have fired that no record covers: a replay might then fire them at other times."""
        return self._fired > self._noted

    def expect(self, future: Any, entry: Entry, *, noted: bool = True) -> None:
        """Show an entry when `future`, which the reader thread ends, reports it recorded; `noted` if replays see it too."""
        self._under_way += 1
        if noted and entry.at is not None:
            self._noted = max(self._noted, entry.at)
        future.add_done_callback(lambda _: self._arrive(entry))

    def look(self) -> None:
        """Schedule the probe that shows the next entry, once no code of the agent is ready to run."""
        if not self._probing:
            self._probing = True
            # Code that was just scheduled may follow the probe in the loop's queue: it gets one turn in any case.
            self._stirs_seen, self._restless = self._stirs - 1, 0
            self._loop.call_ours(self._probe)

    # The loop.

    def _arrive(self, entry: Entry) -> None:
        try:
            self._loop.call_soon_threadsafe(self._take_in, entry)
        except RuntimeError:  # the loop is closed: the activation is over
            return

    def _take_in(self, entry: Entry) -> None:
        self._under_way -= 1
        self._coming.append(entry)
        self.look()

    def _stirred(self) -> None:
        self._stirs += 1
        if not self._probing:
            if self.is_live and self.is_settled:
                # A socket or a thread of the agent's own scheduled this: the agent sees the real time.
                self._clock.reach(self.stamp() / 1000)
            self.look()

    def _probe(self) -> None:
        """Show the next entry if the agent's code has scheduled nothing since the last probe: then no code is ready."""
        if self._stirs != self._stirs_seen and self._restless < MAX_BUSY_TURNS:
            self._stirs_seen = self._stirs
            self._restless += 1
        elif self._held or not self._advance():
            self._probing = False
            return
        else:
            self._stirs_seen, self._restless = self._stirs - 1, 0
        self._loop.call_ours(self._probe)

    def _advance(self) -> bool:
        """Show the next entry; return whether there was one."""
        if self._entry is None and self._past:
            if self._is_due_in_past():
                return self._fire()
            self._entry = self._next_of_past()
        if self._entry is None:
            self._entry = self._next()
        if self._entry is not None:
            return self._show(self._entry)
        if not self.is_live:
            return self._begin_to_live()
        if not self._under_way and self._overdue() is not None:
            return self._fire()
        return self._on_rest()

    def _asked_of_past(self) -> Entry | None:
        """Return the next record, passing over steps that the code has not asked for."""
        for entry in self._past:
            if not entry.is_step or not self._ever_asked.isdisjoint((*entry.keys, *entry.gone)):
                return entry
        return None

    def _is_due_in_past(self) -> bool:
        """Return whether a timer fires next, possibly at the time of a step that the code does not ask for before."""
        first, timer, asked = self._past[0], self._timers.first(), self._asked_of_past()
        if timer is None:
            return False
        if asked is not first and first.at is not None and timer.when <= first.at:
            return True
        return asked is not None and not asked.jump and self._is_due(asked)

    def _next_of_past(self) -> Entry | None:
        if (entry := self._asked_of_past()) is not None:
            self._past.remove(entry)
        return entry

    def _next(self) -> Entry | None:
        for key in self._left:  # a record that the code asks for only now
            if key in self._asked:
                return self._left.pop(key)
        return self._coming.popleft() if self._coming and (self.is_live or self._going_live) else None

    def _overdue(self) -> Timer | None:
        first = self._timers.first()
        return first if first is not None and first.when <= self._clock.real() else None

    def _begin_to_live(self) -> bool:
        """Become live, after everything that arrived since the run last saw something."""
        if not self._going_live:
            self._going_live = True
            for entry in self._past:
                entry.at = None
                self._left.update(dict.fromkeys((*entry.keys, *entry.gone), entry))
            self._past.clear()
        if self._under_way:
            return False
        overdue = self._overdue()
        if self._catch_up(overdue):
            return False
        if overdue is not None:
            return self._fire()
        self._live.set_result(None)
        return True

    def _show(self, entry: Entry) -> bool:
        if entry.jump and entry.at is not None:
            self._clock.reach(entry.at)
        if self._is_due(entry) or self._is_due_before_loss(entry):
            return self._fire()
        if entry.at is not None:
            self._clock.reach(entry.at)
        if entry.keys:
            self._hand_out(entry.keys.pop(0))
            return True
        for key in entry.gone:
            self._give_up(key)
        if entry.landed is None:
            self._noted = max(self._noted, self._clock.now)
        self._entry = None
        if entry.landed is not None:
            entry.landed()
        return True

    def _is_due(self, entry: Entry) -> bool:
        """Return whether a timer fires before an entry is shown; a step's value precedes timers of exactly its time."""
        first = self._timers.first()
        if first is None or entry.at is None:
            return False
        return first.when < entry.at if entry.is_step else first.when <= entry.at

    def _is_due_before_loss(self, entry: Entry) -> bool:
        """Return whether a timer is due at which the agent may give up the `gone` waits by itself."""
        first = self._timers.first()
        if first is None or entry.at is None or first.when > entry.at:
            return False
        return not self._asked.keys().isdisjoint(entry.gone)

    def _fire(self) -> bool:
        """Fire all timers of the next time together, so that nothing is recorded between two of them."""
        timers = self._timers.pop()
        self._clock.reach(timers[0].when)
        self._fired = timers[0].when
        for timer in timers:
            self._loop.call_soon(timer.ring, context=timer.context)
        return True

    def _hand_out(self, key: str) -> None:
        self._see(key)
        if (future := self._asked.pop(key, None)) is not None and not future.done():
            future.set_result(None)

    def _give_up(self, key: str) -> None:
        """Cancel what the agent gave up here before, if it has not done so by itself."""
        self._lose(key)
        if (future := self._asked.pop(key, None)) is not None and not future.done():
            future.cancel()

    def _forget(self, key: str, done: asyncio.Future[None]) -> None:
        if self._asked.get(key) is done:
            del self._asked[key]
