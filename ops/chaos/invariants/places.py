"""Checks of limits, from the times for which runs held places according to the events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from ops.chaos.invariants.facts import Facts, Row

_GOES_ON = ("recover", "hand_back")
"""Ends of an activation that keep the run's places."""


def holds_a_key_alone(facts: Facts) -> None:
    """10: of the runs with one concurrency key, at most one is in flight, from its promotion until it parks or ends."""
    held: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for run in facts.runs:
        if run["concurrency_key"]:
            held[run["concurrency_key"]] += [
                (since, until, run["id"]) for since, until in _in_flight(facts.events[run["id"]])
            ]
    for key, times in held.items():
        for (_, until, first), (since, _, second) in pairwise(sorted(times)):
            if since < until and first != second:
                facts.journal.complain(
                    "10 limits", second, f"{key} was held by {first} until {until}, by it from {since}"
                )


def _in_flight(events: list[Row]) -> Iterator[tuple[float, float]]:
    """Yield the spans from each claimed promotion to the next park or end."""
    since: float | None = None
    for event in events:
        if event["verb"] in ("start", "continue"):
            since = event["promoted"] if since is None else since
        elif event["verb"] and event["verb"] not in _GOES_ON and since is not None:
            yield since, event["at"]
            since = None
