"""Reached limits that hold a ready run: places, a rate, runs in flight. Rules without I/O.

A rate and the limits of runs in flight hold only runs that compete for promotion. They are not shown for a run with a blocker
of its own: they will have changed by the time it competes.
"""

from datetime import datetime, timedelta
from typing import Any

from api.explain.blocker import Blocker, ahead, runs, runs_wait, spoken
from api.explain.blocker_kinds import Kind
from api.explain.snapshot import Line, Ready
from models.blocked_on import PLACE


def reached(ready: Ready) -> list[Blocker]:
    """Return the limits that hold the run."""
    if ready.line is not None:
        return [_line(ready, ready.line)]
    if ready.run.blocked_on == PLACE and ready.run.control_request is None:
        return [_place(ready)]
    if not ready.competes:
        return []
    return [*rate(ready), *in_queue(ready), *of_agent(ready, ready.run.agent)]


def rate(ready: Ready) -> list[Blocker]:
    """Return a blocker if the rate of its queue holds a new run; resumed runs are not limited."""
    if ready.run.resumed or not starts_used_up(ready):
        return []
    limit, span = ready.queue.rate["limit"], timedelta(milliseconds=ready.queue.rate["per_ms"])
    started, queue = _started(ready), ready.queue.name
    detail = f"The queue {queue} has reached its rate of {limit:,} new runs in {span.total_seconds():g} s."
    facts = {"queue": queue, "limit": limit, "perSeconds": span.total_seconds(), "used": started}
    return [Blocker(Kind.RATE, detail, until=_room_at(ready, started - limit, span), facts=facts)]


def starts_used_up(ready: Ready) -> bool:
    """Return whether the queue has started as many new runs as its rate allows."""
    return bool(ready.queue.rate) and _started(ready) >= ready.queue.rate["limit"]


def _started(ready: Ready) -> int:
    return sum(number for _, number in ready.starts)


def _room_at(ready: Ready, over: int, span: timedelta) -> datetime | None:
    """Return the time at which more than `over` of these starts no longer count against the rate."""
    for at, number in sorted(ready.starts):
        over -= number
        if over < 0:
            return at + span
    return None


def in_queue(ready: Ready) -> list[Blocker]:
    """Return a blocker if the queue has reached its limit of runs in flight."""
    limit, used = ready.queue.run_limit, sum(one.runs for one in ready.in_flight if one.queue == ready.queue.name)
    if limit is None or used < limit:
        return []
    detail = f"The queue {ready.queue.name} has reached its limit of {limit:,} concurrent runs."
    return [Blocker(Kind.QUEUE_LIMIT, detail, facts={"queue": ready.queue.name, "limit": limit, "used": used})]


def of_agent(ready: Ready, name: str) -> list[Blocker]:
    """Return a blocker if an agent has reached its limit of runs in flight, over all queues."""
    rule, used = ready.agents.get(name), sum(one.runs for one in ready.in_flight if one.agent == name)
    if rule is None or rule.limit is None or used < rule.limit:
        return []
    detail = f"The agent {name} has reached its limit of {rule.limit:,} concurrent runs."
    return [Blocker(Kind.AGENT_LIMIT, detail, facts={"agent": name, "limit": rule.limit, "used": used})]


def _line(ready: Ready, line: Line) -> Blocker:
    """Return a blocker with the holders of the line's places, and the number of runs ahead."""
    of_key = line.name.startswith("key:")
    limit = ready.queue.key_limit if of_key else ready.queue.tenant_limit
    if limit is None or line.ahead.number < limit - line.held:
        return _place(ready)
    what = f"The key {ready.run.concurrency_key}" if of_key else f"The tenant {ready.run.tenant}"
    places = "1 place" if limit == 1 else f"{limit:,} places"
    whose = f"held by {spoken(line.holders, line.held)}" if line.held else "all free"
    detail = f"{what} has {places} in the queue {ready.queue.name}, {whose}; {runs_wait(line.ahead)}."
    facts: dict[str, Any] = {
        "queue": ready.queue.name, "limit": limit, "used": line.held, "runs": runs(line.holders), **ahead(line.ahead),
    }  # fmt: skip
    if of_key:
        return Blocker(Kind.KEY, detail, ready.since, facts={"key": ready.run.concurrency_key, **facts})
    return Blocker(Kind.TENANT_LIMIT, detail, ready.since, facts=facts)


def _place(ready: Ready) -> Blocker:
    detail = "It waits for a place; the scheduler checks this in a moment."
    return Blocker(Kind.PLACE, detail, ready.since)
