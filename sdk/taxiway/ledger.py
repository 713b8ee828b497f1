"""Remembers what earlier activations of a run recorded, and which of it the present one has asked for again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from taxiway.identity import step_key
from taxiway.waits import Settled, Wait, Wish

WAIT: Final = "wait:"
"""What the keys of an agent's own waits begin with."""


class Status(StrEnum):
    """How far a recorded step came."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRYING = "retrying"
    INTENDED = "intended"


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
    """One step as an earlier activation left it; a `large` value is not here and must be recalled."""

    key: str
    name: str
    status: Status
    attempts: int
    value: str | None
    error: StepError | None
    large: bool

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
        )


class Ledger:
    """Matches calls of this activation with the records of earlier ones: by name, arguments and order among equals."""

    def __init__(self, recorded: Iterable[Recorded] = (), settled: Iterable[Settled] = ()) -> None:
        self._unmatched = {record.key: record for record in recorded}
        self._settled = {wait.key: (place, wait) for place, wait in enumerate(settled)}
        # Those beside steps (retries, tools) are not asked for again once their step is recorded.
        self._unasked = dict.fromkeys(
            key for key, (_, wait) in self._settled.items() if wait.outcome and key.startswith(WAIT)
        )
        self._calls: Counter[tuple[str, str]] = Counter()

    def next_key(self, name: str, digest: str) -> tuple[str, int]:
        """Return the key and the occurrence of one more call of this name and digest."""
        self._calls[name, digest] += 1
        occurrence = self._calls[name, digest]
        return step_key(name, digest, occurrence), occurrence

    def take(self, key: str) -> Recorded | None:
        """Return what is recorded of a step; from now on it counts as matched."""
        return self._unmatched.pop(key, None)

    def wait(self, key: str, wish: Wish) -> Wait:
        """Return the wait with what came of it; from now on it counts as matched."""
        place, known = self._settled.get(key, (0, None))
        self._unasked.pop(key, None)
        return Wait(key, wish, known if known is not None and known.outcome is not None else None, place)

    def was_opened(self, key: str) -> bool:
        """Say whether an earlier activation waited for this, whatever came of it."""
        return key in self._settled

    def unmatched_names(self) -> list[str]:
        """Return the names of recorded steps and waits that no call has asked for yet, in the order of their records."""
        waits = (key.partition("#")[0] for key in self._unasked)
        return list(dict.fromkeys((*(record.name for record in self._unmatched.values()), *waits)))
