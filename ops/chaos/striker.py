"""Lane of faults: strikes one fault after the other, and heals each before the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from random import Random

from ops.chaos.faults.fault import World
from ops.chaos.schedule import Round


class Striker:
    """One lane of faults in its own thread, until `stopping`; a struck fault is always healed."""

    def __init__(self, name: str, rounds: Iterator[Round], world: World, stopping: threading.Event) -> None:
        self._rounds, self._world, self._stopping = rounds, world, stopping
        self.now = ""
        self.fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait until all is healed; raises errors of the harness itself."""
        self._thread.join(seconds)
        if self.fault:
            raise self.fault

    def _run(self) -> None:
        try:
            for one in self._rounds:
                if self._stopping.wait(one.pause):
                    return
                self._strike(one)
        except BaseException as error:  # noqa: BLE001 - raised again in `join`; a silent end of the lane would prove nothing
            self.fault = error

    def _strike(self, one: Round) -> None:
        fault = one.fault()
        self._world.dice = Random(one.dice)
        incident = fault.strike(self._world)
        if incident is None:
            self._world.journal.skipped.append(fault.name)
            return
        self.now = f"{fault.name} → {incident.target}"
        try:
            self._stopping.wait(one.hold)
        finally:
            fault.heal(self._world, incident)
            incident.ended = time.time()
            self.now = ""
