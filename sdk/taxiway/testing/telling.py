"""Text of an outcome in one line, as a failing assert shows it: the most important first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from taxiway.testing.outcome import Child, Outcome, Step

_LONGEST: Final = 120


def in_a_line(outcome: Outcome) -> str:
    """Return how the run ended, why and where, and then what it did."""
    return "; ".join(_told(outcome))


def _told(outcome: Outcome) -> Iterator[str]:
    yield f"{outcome}{outcome.error.where if outcome.error else _result(outcome)}"
    if outcome.unused:
        yield f"unused: {', '.join(outcome.unused)}"
    if outcome.asked:
        yield "asked: " + ", ".join(f"{one.prompt!r} {one.outcome or '(no answer)'}" for one in outcome.asked)
    if outcome.steps:
        yield "steps: " + ", ".join(map(_step, outcome.steps))
    if outcome.events:
        counted = Counter(event.type for event in outcome.events)
        yield "events: " + ", ".join(f"{kind} ({n})" if n > 1 else kind for kind, n in counted.items())
    if outcome.children:
        yield "children: " + ", ".join(map(_child, outcome.children))
    if outcome.slept:
        yield f"slept {outcome.slept:g} s"
    if outcome.earlier:
        yield f"successor of {len(outcome.earlier)} runs"


def _result(outcome: Outcome) -> str:
    if outcome.next_input is not None:
        return f", restarted with {outcome.next_input!r:.{_LONGEST}}"
    return f": {outcome.returned!r:.{_LONGEST}}" if outcome.status == "SUCCESS" else ""


def _step(step: Step) -> str:
    return step.name if step.status == "succeeded" else f"{step.name} {step.status}"


def _child(child: Child) -> str:
    return f"{child.agent} {child.outcome.status if child.outcome else '(no end)'}"
