"""Shows an async agent one thing at a time, in an order that is the same in every activation of its run.

What the run may see (recorded values, outcomes of waits, timers of its own code) is handed out only while nothing of the agent's
code is ready to go on, and the next only when that is so again. A replay hands out what was recorded, in the order of the
records, and lets nothing new begin; then the run is live, and sees what comes in the order in which it is recorded. So code
that depends on who comes first goes the same way again.
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
"""Turns of the loop after which the next thing is shown although the agent's code never rests, as one that polls does."""
UNWINDING: Final = 1.0
"""Seconds for which everything else waits for a step to end that was cancelled; such a step must not go on."""


class Turns:
    """The order of what one activation sees. Used by its loop's thread alone.

    `see` is told of each wait whose outcome is shown, `lose` of each that was given up. `catch_up` is called when the whole past
    was shown, with the timer that is overdue then (None: no longer any), and may have something recorded that comes first;
    it says whether it did. `on_rest` is called when all was shown; it says whether it made something happen.
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
        """Whether the run has seen all that was recorded."""
        return self._live.done()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is on its way to be recorded or shown."""
        return not (self._under_way or self._coming or self._entry or self._held)

    # What the agent's side asks for.

    async def seen(self, key: str) -> None:
        """Return when the turn of a recorded step has come; raise CancelledError where the agent had given it up."""
        await self.ask(key)

    def ask(self, key: str) -> asyncio.Future[None]:
        """Return what is done once the turn of this has come."""
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
        """Show nothing else while the agent waits for an answer that is no part of the records."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            self.look()

    @contextmanager
    def unwinding(self) -> Iterator[None]:
        """Show nothing else while the present task, once it is cancelled, unwinds from what is no code of the agent's."""
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

    # What is recorded now.

    def stamp(self, at: float | None = None) -> float:
        """Return the moment of an item that is recorded now, in milliseconds: behind what was seen, before what will be.

        `at` is an earlier moment of the run's clock at which it came.
        """
        first = self._timers.first()
        now = self._clock.real() if at is None else at
        moment = max(self._clock.now, now if first is None else min(now, first.when), self._fired + MOMENT / 2)
        self._stamped = max(self._stamped, moment * 1000)
        return self._stamped

    @property
    def is_unnoted(self) -> bool:
        """Whether timers have fired since that of which no record tells: then a replay may have them fire at other times."""
        return self._fired > self._noted

    def expect(self, future: Any, entry: Entry, *, noted: bool = True) -> None:
        """Show an entry when `future` (which the reader's thread ends) says that it is recorded; `noted` for replays."""
        self._under_way += 1
        if noted and entry.at is not None:
            self._noted = max(self._noted, entry.at)
        future.add_done_callback(lambda _: self._arrive(entry))

    def look(self) -> None:
        """See to it that what may be shown is, once nothing of the agent's code is ready to go on."""
        if not self._probing:
            self._probing = True
            # As what stirred may stand behind the probe in the loop's queue, it is given a turn in any case.
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
            if (
                self.is_live and self.is_settled
            ):  # a socket or a thread of the agent's own did it: it is as late as it is
                self._clock.reach(self.stamp() / 1000)
            self.look()

    def _probe(self) -> None:
        """Look whether anything of the agent's code has stirred since the last look: else nothing of it is ready."""
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
        """Show the next thing; return whether there was one."""
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
        """Return the next record; one of a step that nobody asks for gives way to a later one."""
        for entry in self._past:
            if not entry.is_step or not self._ever_asked.isdisjoint((*entry.keys, *entry.gone)):
                return entry
        return None

    def _is_due_in_past(self) -> bool:
        """Return whether a timer fires next: also one that fires at the moment of a step which nobody asks for before."""
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
        for key in self._left:  # recorded, but asked for only now
            if key in self._asked:
                return self._left.pop(key)
        return self._coming.popleft() if self._coming and (self.is_live or self._going_live) else None

    def _overdue(self) -> Timer | None:
        first = self._timers.first()
        return first if first is not None and first.when <= self._clock.real() else None

    def _begin_to_live(self) -> bool:
        """Let new things happen, behind what came since the run saw something last."""
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
        """Return whether a timer fires before an entry is shown; a step's value was there before those of its very moment."""
        first = self._timers.first()
        if first is None or entry.at is None:
            return False
        return first.when < entry.at if entry.is_step else first.when <= entry.at

    def _is_due_before_loss(self, entry: Entry) -> bool:
        """Return whether a timer fires by which the agent may have given up what is gone: then it does so by itself."""
        first = self._timers.first()
        if first is None or entry.at is None or first.when > entry.at:
            return False
        return not self._asked.keys().isdisjoint(entry.gone)

    def _fire(self) -> bool:
        """Have all timers of the next moment fire, so that nothing is recorded between two of them."""
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
        """Give up what the agent gave up here once, where it has not done so by itself."""
        self._lose(key)
        if (future := self._asked.pop(key, None)) is not None and not future.done():
            future.cancel()

    def _forget(self, key: str, done: asyncio.Future[None]) -> None:
        if self._asked.get(key) is done:
            del self._asked[key]
