"""Model of a run that waits, written by hand from the design and not from the statements.

Each method is one committed decision, called in the order of the commits. It asserts that the law allows the decision in
the run's state, and sets the next state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from models.moves import NewWait

ENDED = ("SUCCESS", "FAILED", "CANCELED")
CRASHES = 3


@dataclass
class Waits:
    """One wait: its kind, the park that awaits it, its outcome."""

    new: NewWait
    epoch: int
    outcome: str | None = None


@dataclass
class Model:
    status: str = "QUEUED"
    kind: str | None = None
    epoch: int = 0
    ticket: bool = False
    leased: bool = False
    asked: str | None = None
    wake: str = "all"
    crashes: int = 0
    kept: int = 0
    changes: int = 1
    waits: dict[str, Waits] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def awaits(self) -> bool:
        """Return whether the run is parked on waits, and not only on a user."""
        return self.status == "AUTH_REQUIRED" or self.kind in ("approval", "agent")

    @property
    def awaited(self) -> list[Waits]:
        return [wait for wait in self.waits.values() if wait.epoch == self.epoch]

    def open(self, kinds: Iterable[str]) -> list[Waits]:
        return [wait for wait in self.waits.values() if wait.new.kind in kinds and wait.outcome is None]

    def _to(self, status: str, kind: str | None = None) -> None:
        self.status, self.kind, self.ticket, self.leased = status, kind, False, False
        self.changes += 1
        if self.ended:
            for wait in self.open({wait.new.kind for wait in self.waits.values()}):
                wait.outcome = "withdrawn"

    # --------------------------------------------------------------------------------------------------- what may happen
    def may_be_decided(self, key: str | None) -> bool:
        return not self.ended and key in self.waits and self.waits[key].outcome is None

    def may_be_canceled_at_once(self) -> bool:
        return not self.ended and not self.leased

    def may_be_paused(self) -> bool:
        return not self.ended and self.asked is None and self.kind != "user"

    def may_be_resumed(self) -> bool:
        if self.ended:
            return False
        left = [wait.new.kind for wait in self.awaited if wait.outcome is None]
        goes_on = self.awaits and "user" in left and (self.wake == "any" or set(left) == {"user"})
        return self.asked == "pause" or self.kind == "user" or goes_on

    # ------------------------------------------------------------------------------------------------- what was decided
    def promoted(self) -> None:
        assert self.status in ("QUEUED", "RUNNING")
        assert (self.leased, self.ticket, self.asked) == (False, False, None)
        self.ticket, self.epoch = True, self.epoch + 1

    def claimed(self) -> None:
        assert self.ticket
        assert self.asked is None
        self._to("RUNNING")
        self.leased = True

    def canceled(self) -> None:
        assert self.may_be_canceled_at_once()
        self._to("CANCELED")

    def requested(self) -> None:
        assert self.leased
        self.asked = "cancel"

    def paused(self) -> None:
        assert self.may_be_paused()
        assert (self.status, self.leased) == ("RUNNING", False)
        self._to("PAUSED", "user")

    def recorded(self) -> None:
        assert self.may_be_paused()
        assert self.leased or self.status == "QUEUED" or self.awaits
        self.asked, self.ticket = "pause", False

    def taken_back(self) -> None:
        """Withdraw a recorded pause, and end the agent's own among other waits: the run waits for those."""
        assert self.asked == "pause"
        self.asked = None
        if self.awaits:
            self._over(self._own_pauses(), "resumed")
            assert self.awaits, "what makes it go on is told by an event"

    def resumed(self) -> None:
        assert self.may_be_resumed()
        self.asked = None
        if self.kind == "user":
            self._to("RUNNING")
        else:
            self._over(self._own_pauses(), "resumed")

    def _own_pauses(self) -> list[Waits]:
        return [wait for wait in self.open(("user",)) if wait in self.awaited]

    def decided(self, key: str, outcome: str) -> None:
        assert self.may_be_decided(key)
        self._over([self.waits[key]], outcome)

    def signaled(self) -> bool:
        """Deliver one message; return whether a wait took it."""
        assert not self.ended
        self.kept += 1
        return self._deliver()

    def left(self, verb: str, opens: Sequence[NewWait], wake: str) -> None:
        """End the activation by this verb; `opens` are the waits that it requested."""
        assert self.leased
        match verb:
            case "succeed":
                self._to("SUCCESS")
            case "cancel":
                assert self.asked == "cancel"
                self._to("CANCELED")
            case "pause_by_user":
                assert self.asked == "pause"
                self.asked = None
                self._to("PAUSED", "user")
            case _:
                self._parked(verb, opens, wake)

    def released(self, verb: str, *, crashed: bool) -> None:
        """End the activation, drained or dead: the run's request is carried out now, otherwise the run continues."""
        assert self.leased
        self.epoch, self.crashes = self.epoch + 1, self.crashes + crashed
        if self.asked == "cancel":
            expected = ("cancel", "CANCELED", None)
        elif crashed and self.crashes == CRASHES:
            expected = ("fail", "FAILED", None)
        elif self.asked == "pause":
            expected, self.asked = ("pause_by_user", "PAUSED", "user"), None
        else:
            expected = ("recover" if crashed else "hand_back", "RUNNING", None)
        assert verb == expected[0]
        self._to(*expected[1:])

    def _parked(self, verb: str, opens: Sequence[NewWait], wake: str) -> None:
        assert self.asked is None, "a request that came first takes the place of the park"
        self._to("PAUSED", "approval" if verb == "await_approval" else "agent")
        self.wake = wake
        for new in opens:
            known = self.waits.setdefault(new.key, Waits(new, self.epoch))
            assert known.outcome is None, "nobody stands still for what is over"
            known.epoch = self.epoch
        self._deliver()

    def _deliver(self) -> bool:
        if not self.awaits:
            return False
        words = [wait for wait in self.awaited if wait.new.kind == "signal" and wait.outcome is None][: self.kept]
        self.kept -= len(words)
        self._over(words, "received")
        return bool(words)

    def _over(self, waits: Sequence[Waits], outcome: str) -> None:
        for wait in waits:
            wait.outcome = outcome
        if not self.awaits or not any(wait in self.awaited for wait in waits):
            return
        if outcome == "denied" and any(wait.new.request["onDeny"] == "cancel" for wait in waits):
            self._to("CANCELED")
        elif self.wake == "any" or all(wait.outcome for wait in self.awaited):
            self._to("RUNNING")
            if self.asked:
                self.asked = None
                self._to("PAUSED", "user")
