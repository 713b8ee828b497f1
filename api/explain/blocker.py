"""One reason why a run is not executing: its kind, a sentence for people, and the facts behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from api.explain.blocker_kinds import Kind
from api.explain.snapshot import Count, Named
from api.shapes import BlockerBody
from models.runs.public_event import timestamp

MOST_NAMED = 20
"""Runs, or workers, that a blocker names at most."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Blocker:
    """A blocker; `since` and `until` (it ends by itself) are None if unknown. `facts` are shown as they are."""

    kind: Kind
    detail: str
    since: datetime | None = None
    until: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def shown(self) -> BlockerBody:
        """Return the blocker as the API shows it."""
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
    """Return the facts about the runs ahead of a run."""
    return {"ahead": count.number} | ({"aheadIsMore": True} if count.more else {})


def runs(named: Sequence[Named]) -> list[dict[str, str]]:
    """Return runs with their statuses, as facts."""
    return [{"runId": str(one.id), "status": one.status} for one in named[:MOST_NAMED]]


def listed(words: Sequence[str]) -> str:
    """Join words for a sentence: `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def spoken(named: Sequence[Named], count: int | None = None) -> str:
    """Return the first three of `count` runs, for a sentence."""
    words = [f"{one.id} ({one.status})" for one in named[:3]]
    more = (len(named) if count is None else count) - len(words)
    return listed([*words, f"{more:,} more"] if more > 0 else words)


def runs_wait(count: Count) -> str:
    """Return the phrase for the runs that wait before a run."""
    if count.number == 0:
        return "this run is next"
    return "1 run waits before it" if count.number == 1 else f"{count} runs wait before it"


def short(text: object, longest: int = _LONGEST) -> str:
    """Cut foreign text to a length that fits a sentence."""
    words = " ".join(str(text).split())
    return words if len(words) <= longest else f"{words[:longest]}…"
