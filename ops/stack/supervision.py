"""Supervision of a stack: restarts ended processes, and replaces workers when agent files change.

An ended process is restarted after one second. The delay doubles up to half a minute while the process does not stay up. A
change replaces the workers one by one, so that the others continue. A worker that waits for its restart because its agents
were broken is restarted immediately.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from ops.child import Child
from ops.embedded import EmbeddedError
from ops.stack.errors import ended
from ops.stack.file_changes import Changes, folders
from ops.stack.fleet import ROOT
from ops.stack.stack import PATIENCE, Stack

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
STAYED_UP = 60.0
"""Seconds of running after which the delay starts at one second again."""
LOOK_EVERY = 1.0
"""Seconds between two checks of the agent files."""


class Supervisor:
    """Call `step` repeatedly."""

    def __init__(self, stack: Stack, say: Callable[[str], None]) -> None:
        self.stack = stack
        self.say = say
        self.changes = Changes(folders(stack.options.agents, ROOT))
        self.look_at = 0.0
        self.due: dict[str, float] = {}
        """Restart times of ended processes."""
        self.started: dict[str, float] = {}
        self.waits: dict[str, float] = {}
        """Last restart delay of each process."""
        self.to_replace: list[Child] = []
        self.replacing: tuple[Child, float] | None = None
        """The worker that is ending because its agents changed, and its deadline."""

    def step(self) -> None:
        """Check everything once; never waits for a process."""
        now = time.monotonic()
        if now >= self.look_at:
            self.look_at = now + LOOK_EVERY
            if self.changes.happened():
                self._agents_changed(now)
        self._replace(now)
        for child in list(self.stack.fleet.children.values()):
            if not child.running:
                self._ended(child, now)
        for child in self.stack.servers.children():
            if not child.running:
                self._server_ended(child)

    def _agents_changed(self, now: float) -> None:
        self.say("Agent files changed: replacing the workers.")
        self.to_replace = [worker for worker in self.stack.workers if worker.running]
        self.due.update({name: now for name in self.due if name.startswith("worker-")})

    def _replace(self, now: float) -> None:
        if self.replacing is None and self.to_replace:
            worker = self.to_replace.pop(0)
            worker.send(signal.SIGTERM)
            self.replacing = (worker, now + PATIENCE)
        elif self.replacing:
            worker, deadline = self.replacing
            if worker.running and now > deadline:
                worker.kill()
            if not worker.running:
                self.replacing = None
                self._start(worker, now)

    def _ended(self, child: Child, now: float) -> None:
        if self.replacing and self.replacing[0] is child:
            return
        if child.name not in self.due:
            wait = self._next_wait(child.name, now)
            self.due[child.name] = now + wait
            self.say(f"{ended(child)}\nIt restarts in {wait:.0f} s.")
        elif now >= self.due[child.name]:
            del self.due[child.name]
            self._start(child, now)

    def _next_wait(self, name: str, now: float) -> float:
        """Return the restart delay of a process that ended now: twice the last one, unless it had stayed up."""
        stayed_up = now - self.started.get(name, float("-inf")) > STAYED_UP
        before = self.waits.get(name)
        self.waits[name] = FIRST_WAIT if stayed_up or before is None else min(LONGEST_WAIT, 2 * before)
        return self.waits[name]

    def _start(self, child: Child, now: float) -> None:
        self.started[child.name] = now
        self.stack.fleet.launch(child.command)
        self.stack.write_upfile()

    def _server_ended(self, child: Child) -> None:
        self.say(f"{ended(child)}\nIt restarts now.")
        try:
            self.stack.servers.restart(child)
        except EmbeddedError as error:
            self.say(str(error))
