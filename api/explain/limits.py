"""Which limits are reached that a ready run would need room under: places, a rate, numbers in flight. No I/O.

A rate and the numbers in flight hold only what is ready to go: what is kept from that by something of its own is not counted
against them, and finds another state of things when its time has come.
"""

from datetime import datetime, timedelta
from typing import Any

from api.explain.blocker import Blocker, ahead, runs, runs_wait, spoken
from api.explain.blocker_kinds import Kind
from api.explain.snapshot import Line, Ready
from models.blocked_on import PLACE


def reached(ready: Ready) -> list[Blocker]:
    """Say which limits hold the run."""
    if ready.line is not None:
        return [_line(ready, ready.line)]
    if ready.run.blocked_on == PLACE and ready.run.control_request is None:
        return [_place(ready)]
    if not ready.competes:
        return []
    return [*rate(ready), *in_queue(ready), *of_agent(ready, ready.run.agent)]


def rate(ready: Ready) -> list[Blocker]:
    """Say whether a new run is held by the rate of its queue; one that had started is not counted."""
    if ready.run.resumed or not starts_used_up(ready):
        return []
    limit, span = ready.queue.rate["limit"], timedelta(milliseconds=ready.queue.rate["per_ms"])
    started, queue = _started(ready), ready.queue.name
    detail = f"The queue {queue} starts {limit:,} new runs within {span.total_seconds():g} s at most, and has."
    facts = {"queue": queue, "limit": limit, "perSeconds": span.total_seconds(), "used": started}
    return [Blocker(Kind.RATE, detail, until=_room_at(ready, started - limit, span), facts=facts)]


def starts_used_up(ready: Ready) -> bool:
    """Whether the queue has started as many new runs as its rate allows."""
    return bool(ready.queue.rate) and _started(ready) >= ready.queue.rate["limit"]


def _started(ready: Ready) -> int:
    return sum(number for _, number in ready.starts)


def _room_at(ready: Ready, over: int, span: timedelta) -> datetime | None:
    """Give the moment at which so many more than one start are counted no more."""
    for at, number in sorted(ready.starts):
        over -= number
        if over < 0:
            return at + span
    return None


def in_queue(ready: Ready) -> list[Blocker]:
    """Say whether as many runs of the queue are in flight as its limit allows."""
    limit, used = ready.queue.run_limit, sum(one.runs for one in ready.in_flight if one.queue == ready.queue.name)
    if limit is None or used < limit:
        return []
    detail = f"The queue {ready.queue.name} executes {limit:,} runs at once at most, and does."
    return [Blocker(Kind.QUEUE_LIMIT, detail, facts={"queue": ready.queue.name, "limit": limit, "used": used})]


def of_agent(ready: Ready, name: str) -> list[Blocker]:
    """Say whether as many runs of an agent are in flight, in whatever queues, as its limit allows."""
    rule, used = ready.agents.get(name), sum(one.runs for one in ready.in_flight if one.agent == name)
    if rule is None or rule.limit is None or used < rule.limit:
        return []
    detail = f"The agent {name} executes {rule.limit:,} runs at once at most, and does."
    return [Blocker(Kind.AGENT_LIMIT, detail, facts={"agent": name, "limit": rule.limit, "used": used})]


def _line(ready: Ready, line: Line) -> Blocker:
    """Say who holds the places of the line that the run waits in, and how many wait before it."""
    of_key = line.name.startswith("key:")
    limit = ready.queue.key_limit if of_key else ready.queue.tenant_limit
    if limit is None or line.ahead.number < limit - line.held:
        return _place(ready)
    what = f"The key {ready.run.concurrency_key}" if of_key else f"The tenant {ready.run.tenant}"
    places = "1 place" if limit == 1 else f"{limit:,} places"
    whose = f"held by {spoken(line.holders, line.held)}" if line.held else "of which none is held"
    detail = f"{what} has {places} in the queue {ready.queue.name}, {whose}; {runs_wait(line.ahead)}."
    facts: dict[str, Any] = {
        "queue": ready.queue.name, "limit": limit, "used": line.held, "runs": runs(line.holders), **ahead(line.ahead),
    }  # fmt: skip
    if of_key:
        return Blocker(Kind.KEY, detail, ready.since, facts={"key": ready.run.concurrency_key, **facts})
    return Blocker(Kind.TENANT_LIMIT, detail, ready.since, facts=facts)


def _place(ready: Ready) -> Blocker:
    detail = "It asks for its place among those that it competes with: the scheduler looks at that in a moment."
    return Blocker(Kind.PLACE, detail, ready.since)
