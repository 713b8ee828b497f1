"""One thing that keeps a run from executing: its kind, a sentence for people, and the facts behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from api.explain.blocker_kinds import Kind
from api.explain.snapshot import Count, Named
from api.shapes import BlockerBody
from models.runs.public_event import timestamp

MOST_NAMED = 20
"""How many runs, or workers, a blocker names."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Blocker:
    """Since when it is there, where that is known, and `until` when it goes by itself; `facts` as the API shows them."""

    kind: Kind
    detail: str
    since: datetime | None = None
    until: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def shown(self) -> BlockerBody:
        """Show it."""
        about = {
            "kind": self.kind.value,
            "detail": self.detail,
            "since": timestamp(self.since),
            "until": timestamp(self.until),
        }
        return cast("BlockerBody", about | {name: value for name, value in self.facts.items() if value is not None})


def no_scheduler() -> Blocker:
    """Return the blocker of an installation whose scheduler does not run."""
    return Blocker(Kind.NO_SCHEDULER, "No scheduler is running, so nothing is promoted, woken or recovered.")


def ahead(count: Count) -> dict[str, Any]:
    """Say as facts how many go before a run."""
    return {"ahead": count.number} | ({"aheadIsMore": True} if count.more else {})


def runs(named: Sequence[Named]) -> list[dict[str, str]]:
    """Name runs, with their statuses."""
    return [{"runId": str(one.id), "status": one.status} for one in named[:MOST_NAMED]]


def listed(words: Sequence[str]) -> str:
    """Write words as people list them: `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def spoken(named: Sequence[Named], count: int | None = None) -> str:
    """Name some runs in a sentence, of `count` altogether."""
    words = [f"{one.id} ({one.status})" for one in named[:3]]
    more = (len(named) if count is None else count) - len(words)
    return listed([*words, f"{more:,} more"] if more > 0 else words)


def runs_wait(count: Count) -> str:
    """Say how many wait before a run."""
    if count.number == 0:
        return "it is the next"
    return "1 run waits before it" if count.number == 1 else f"{count} runs wait before it"


def short(text: object, longest: int = _LONGEST) -> str:
    """Cut what somebody else wrote to what fits a sentence."""
    words = " ".join(str(text).split())
    return words if len(words) <= longest else f"{words[:longest]}…"
