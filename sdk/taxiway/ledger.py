"""Records of earlier activations, matched with the calls of the present one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from taxiway.identity import placed_key, step_key
from taxiway.waits import Settled, Wait, Wish

WAIT: Final = "wait:"
"""Prefix of the keys of an agent's own waits."""


class Status(StrEnum):
    """State of a recorded step."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"
    RETRYING = "retrying"
    INTENDED = "intended"


FINISHED: Final = frozenset({Status.SUCCEEDED, Status.FAILED, Status.ABANDONED})


@dataclass(frozen=True)
class StepError:
    """Why a step failed."""

    type: str
    message: str
    code: str

    def as_frame(self) -> dict[str, str]:
        """Return the error as frames carry it."""
        return {"type": self.type, "message": self.message, "code": self.code}


@dataclass(frozen=True)
class Recorded:
    """The record of one step from an earlier activation; a `large` value is missing here and must be recalled.

    `digest` is that of its arguments and, after a space, their short text. `seq` is its position among the records. `at` is its
    time on the run's clock in milliseconds, `finished_ms` that on the database's clock; both are None in older records.
    """

    key: str
    name: str
    status: Status
    attempts: int
    value: str | None
    error: StepError | None
    large: bool
    digest: str = ""
    seq: int = 0
    at: float | None = None
    finished_ms: float | None = None

    @classmethod
    def from_frame(cls, item: dict[str, Any]) -> Recorded:
        """Read one item of a `recorded` frame."""
        error = item.get("error")
        return cls(
            key=item["key"],
            name=item["name"],
            status=Status(item["status"]),
            attempts=item["attempts"],
            value=item.get("value"),
            error=StepError(error["type"], error["message"], error["code"]) if error else None,
            large=bool(item.get("large")),
            digest=item.get("digest") or "",
            seq=item.get("seq") or 0,
            at=item.get("at"),
            finished_ms=item.get("finishedMs"),
        )

    @property
    def arguments(self) -> str:
        """The short text of its arguments, empty in older records."""
        return self.digest.partition(" ")[2]

    def has_arguments(self, digest: str) -> bool:
        """Return whether its arguments may have this digest: False only if both digests are known and differ."""
        mine, theirs = self.digest.partition(" ")[0], digest.partition(" ")[0]
        return not mine or not theirs or mine == theirs


@dataclass(frozen=True)
class Turn:
    """Things that the run saw besides the ends of steps: outcomes of waits in their order, and waits that it gave up."""

    seq: int
    at: float
    seen: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @classmethod
    def from_frame(cls, item: dict[str, Any]) -> Turn:
        """Read one turn of a `recorded` frame."""
        return cls(item["seq"], item["at"], tuple(item["seen"]), tuple(item["gone"]))


@dataclass(frozen=True)
class Call:
    """One call of a verb: its key, equal in every activation of the run, and the digest of its arguments."""

    name: str
    digest: str
    key: str
    occurrence: int


class Ledger:
    """Matches calls of this activation with the records of earlier ones."""

    def __init__(
        self, recorded: Iterable[Recorded] = (), settled: Iterable[Settled] = (), turns: Iterable[Turn] = ()
    ) -> None:
        self._unmatched = {record.key: record for record in recorded}
        self.finished = tuple(record for record in self._unmatched.values() if record.status in FINISHED)
        self.turns = tuple(turns)
        self._settled = {wait.key: (place, wait) for place, wait in enumerate(settled)}
        self._next_place = len(self._settled)
        # Waits of steps (retries, tools) are not asked for again once their step is recorded.
        self._unasked = dict.fromkeys(
            key for key, (_, wait) in self._settled.items() if wait.outcome and key.startswith(WAIT)
        )
        # Steps with a wait of their own (a tool's approval, a renewed grant), which may not be recorded themselves yet.
        self._awaited = {key.partition(":")[2] for key in self._settled if not key.startswith(WAIT)}
        self.has_past = bool(self._unmatched or self._settled)
        self._calls: Counter[tuple[str, str]] = Counter()
        self._older: Counter[tuple[str, str]] = Counter()

    def call(self, name: str, digest: str, path: str | None, older: Callable[[], str]) -> Call:
        """Return the key of one more call: made from its digest, or from `path`, its place in an async agent.

        A call that an earlier version of this SDK recorded is found by its key of that time, made from the digest `older()`.
        Such digests cover other things, so the call keeps the older one: the two must not be compared.
        """
        short = digest.partition(" ")[0]
        place = short if path is None else f"@{path}"
        self._calls[name, place] += 1
        occurrence = self._calls[name, place]
        key = step_key(name, short, occurrence) if path is None else placed_key(name, path, occurrence)
        if self.has_past:
            old, nth = self._older_key(name, given := older())
            if self._is_known(old) and not self._is_known(key):
                return Call(name, f"{given} {digest.partition(' ')[2]}", old, nth)
        return Call(name, digest, key, occurrence)

    def wait_key(self, name: str, about: str, path: str | None) -> str:
        """Return the key of one more described wait: made from `about`, or from `path` and then `about`."""
        if path is None:
            self._calls[name, about] += 1
            return step_key(name, about, self._calls[name, about])
        self._calls[name, f"@{path}"] += 1
        key = f"{placed_key(name, path, self._calls[name, f'@{path}'])}/{about}"
        if self.has_past:
            old, _ = self._older_key(name, about)
            if old in self._settled and key not in self._settled:
                return old
        return key

    def take(self, key: str) -> Recorded | None:
        """Return the record of a step; it counts as matched from now on."""
        return self._unmatched.pop(key, None)

    def wait(self, key: str, wish: Wish) -> Wait:
        """Return the wait with its outcome; it counts as matched from now on."""
        place, known = self._settled.get(key, (0, None))
        self._unasked.pop(key, None)
        return Wait(key, wish, known if known is not None and known.outcome is not None else None, place)

    def outcome(self, key: str) -> Settled | None:
        """Return the outcome of a wait, None while it is open."""
        _, known = self._settled.get(key, (0, None))
        return known if known is not None and known.outcome is not None else None

    def settle(self, settled: Settled) -> bool:
        """Add the outcome of a wait that arrived during this activation; return whether it is new."""
        if settled.outcome is None or self.outcome(settled.key) is not None:
            return False
        self._settled.pop(settled.key, None)
        self._settled[settled.key] = (self._next_place, settled)
        self._next_place += 1
        return True

    def outcomes(self) -> list[Settled]:
        """Return the outcomes of waits in the order in which they arrived."""
        return [wait for _, wait in self._settled.values() if wait.outcome is not None]

    def same_place(self, key: str) -> str | None:
        """Return the key of a recorded wait at the same place in the agent that was about something else."""
        place = key.partition("/")[0] + "/"
        return next((known for known in self._settled if known.startswith(place) and known != key), None)

    def was_opened(self, key: str) -> bool:
        """Return whether an earlier activation opened this wait, resolved or not."""
        return key in self._settled

    def unmatched(self) -> list[Recorded]:
        """Return the recorded steps without a matching call so far, in the order of their records."""
        return list(self._unmatched.values())

    @property
    def is_used_up(self) -> bool:
        """Whether every recorded step and wait is matched."""
        return not self._unmatched and not self._unasked

    def unmatched_waits(self) -> list[str]:
        """Return the recorded waits without a matching call so far, as an error shows them."""
        return [self.shown_wait(key) for key in self._unasked]

    def shown_wait(self, key: str) -> str:
        """Return a recorded wait as an error shows it: its kind and its title."""
        _, known = self._settled[key]
        kind = key.removeprefix(WAIT).partition("#")[0].partition("@")[0]
        return kind if known.title is None else f"{kind} {known.title!r}"

    def unmatched_names(self) -> list[str]:
        """Return the names of recorded steps and waits without a matching call so far, in the order of their records."""
        waits = (key.partition("#")[0].partition("@")[0] for key in self._unasked)
        return list(dict.fromkeys((*(record.name for record in self._unmatched.values()), *waits)))

    def _is_known(self, key: str) -> bool:
        return key in self._unmatched or key in self._awaited

    def _older_key(self, name: str, digest: str) -> tuple[str, int]:
        self._older[name, digest] += 1
        return step_key(name, digest, self._older[name, digest]), self._older[name, digest]
