"""The leader of a simulation: the duties of the scheduler in their order, each checked after it is done."""

from __future__ import annotations

from random import Random
from typing import Any

from scheduler.duties.expiry import Expiry
from scheduler.duties.place_assignment import SOON_SECONDS, Places
from scheduler.duties.recovery import Recovery
from scheduler.duties.timed_release import Lifting
from scheduler.duties.timers import Timers
from scheduler.duties.window_enforcement import Closing
from scheduler.promotion.gates import GateReader
from scheduler.promotion.promotion import Promotion
from tests.postgres.database_setup import Published
from tests.postgres.simulation.field import Field
from tests.postgres.simulation.lookout import Lookout
from tests.postgres.stepping import do
from tests.postgres.virtual_time import Clock

FOR_EVER = float("inf")
NEVER_WAITS = ("places", "promotion", "lifting", "recovery")
"""The duties that pass over a run that somebody else decides about; the others wait for him."""


class Leader:
    """Does its duties on one field."""

    def __init__(self, field: Field) -> None:
        self.field, self.lookout = field, Lookout(field)
        self.published = Published()
        self.take_over()

    def take_over(self) -> None:
        """Be another leader, who remembers nothing."""
        gates = GateReader()
        self.duties: dict[str, Any] = {
            "places": Places(5, gates), "promotion": Promotion(self.published, gates, fill_s=0),
            "closing": Closing(gates),
            "timers": Timers(), "lifting": Lifting(), "expiry": Expiry(),
            "recovery": Recovery(FOR_EVER),  # it declares nobody dead: that happens on the field
        }  # fmt: skip

    def turn(self, dice: Random) -> None:
        """Do most duties once, sometimes while another connection holds some runs."""
        Clock.turns += 1
        if dice.random() < 0.03:
            self.take_over()
            self.field.tell("another one leads")
        due = [duty for duty in self.duties if dice.random() < 0.9]
        if dice.random() < 0.1 and (runs := self.field.runs()):
            held = self.field.some(dice, runs, 3)
            self.field.tell("somebody decides about", *(run["id"] for run in held))
            with self.field.held_rows(held):
                for duty in [duty for duty in due if duty in NEVER_WAITS]:
                    self.do(duty, undisturbed=False)
        else:
            for duty in due:
                self.do(duty)

    def whole_turn(self) -> None:
        """Do all duties once."""
        Clock.turns += 1
        for duty in self.duties:
            self.do(duty)

    def do(self, duty: str, *, undisturbed: bool = True) -> None:
        """Do one duty, and check its results."""
        if duty == "places":
            self._give_places(undisturbed)
        elif duty == "promotion":
            self._promote()
        else:
            do(self.duties[duty], self.field.connection)

    def _give_places(self, undisturbed: bool) -> None:
        """Assign places until no recheck is left, unless another connection prevents it."""
        for _ in range(50 if undisturbed else 1):
            changed = self.field.has_changes()
            waits = do(self.duties["places"], self.field.connection).wait_s
            self.lookout.skipped()
            if waits > SOON_SECONDS and not changed:  # after a change of a queue it searches for lines in its next step
                break
        self.lookout.placed(undisturbed=undisturbed)

    def _promote(self) -> None:
        before = {run["id"]: run for run in self.field.runs()}
        do(self.duties["promotion"], self.field.connection)
        if runs := self.published.take():
            self.field.tell("promoted:", *runs)
            self.lookout.promoted(before, runs)
