"""Workers of a ready run: whether any serves it, and whether one has a free slot. Rules without I/O."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.explain import limits
from api.explain.blocker import MOST_NAMED, Blocker, ahead, listed
from api.explain.blocker_kinds import Kind
from api.explain.snapshot import Ahead, Count, Ready, Serving
from models.promotion.tickets import RESUMED_IN_A_ROW
from models.tables.run import Run

_UNSERVED = "has not registered agents yet"


@dataclass(frozen=True, slots=True)
class Slots:
    """Slots of a queue's workers, as the scheduler counts them."""

    total: int
    executing: int
    promised: int
    free: int


def slots(ready: Ready) -> Slots:
    """Count the slots of the workers that offer any; each published ticket is promised one slot."""
    offering = ready.offering
    promised = sum(one.tickets for one in ready.in_flight if one.queue == ready.queue.name)
    open_slots = sum(max(0, worker.slots - worker.leased) for worker in offering)
    total, executing = sum(worker.slots for worker in offering), sum(worker.leased for worker in offering)
    return Slots(total, executing, promised, max(0, open_slots - promised))


def missing(ready: Ready) -> list[Blocker]:
    """Return a blocker if no worker can execute the run: its queue has no live worker, or none serves its agent."""
    queue, agent = ready.queue.name, ready.run.agent
    if not ready.workers:
        return [Blocker(Kind.NO_WORKER, f"No worker of the queue {queue} is running.", facts={"queue": queue})]
    if any(agent in worker.agents for worker in ready.offering):
        return []
    said = "; ".join(_others(ready.workers))
    detail = f"No worker of the queue {queue} takes runs of the agent {agent} at the moment: {said}."
    facts = {"queue": queue, "agent": agent, "workers": [_shown(worker) for worker in ready.workers[:MOST_NAMED]]}
    return [Blocker(Kind.AGENT_UNSERVED, detail, facts=facts)]


def _others(workers: Sequence[Serving]) -> list[str]:
    """Return how many workers do something else, by activity."""
    counted = Counter(_instead(worker) for worker in workers)
    return [f"{number} {what}" if number == 1 else f"{number} {_plural(what)}" for what, number in counted.items()]


def _instead(worker: Serving) -> str:
    if worker.draining:
        return "drains"
    if not worker.agents:
        return _UNSERVED
    if not worker.consuming:
        return "takes nothing from the broker"
    return f"serves {listed(sorted(worker.agents)[:MOST_NAMED])}"


def _plural(what: str) -> str:
    verb, _, rest = what.partition(" ")
    return " ".join(filter(None, ({"has": "have"}.get(verb, verb.removesuffix("s")), rest)))


def _shown(worker: Serving) -> dict[str, Any]:
    return {
        "workerId": str(worker.id),
        "name": worker.name,
        "agents": sorted(worker.agents),
        "draining": worker.draining,
        "consuming": worker.consuming,
    }


def classes(ready: Ready) -> tuple[list[str], list[str], list[bool]]:
    """Return the classes of runs that may be promoted now: agents, windows, and kinds (True: resumed, False: new)."""
    served = {agent for worker in ready.offering for agent in worker.agents}
    going = [name for name in sorted(served) if _goes(ready, name)]
    only_others = ready.queue.cordoned or limits.starts_used_up(ready)
    return going, ["", *ready.windows.open], [True] if only_others else [True, False]


def _goes(ready: Ready, name: str) -> bool:
    rule = ready.agents.get(name)
    barred = rule is not None and (rule.paused or ready.windows.closed(rule.window))
    return not barred and not limits.of_agent(ready, name)


def capacity(ready: Ready, before: Ahead | None) -> Blocker:
    """Return the blocker of taken slots, with the runs ahead of this one; `before` is None if it is promoted already."""
    has, queue = slots(ready), ready.queue.name
    taken = f"{has.executing:,} execute runs"
    if has.promised:
        taken += f", {has.promised:,} {'is' if has.promised == 1 else 'are'} reserved for promoted runs"
    detail = f"All {has.total:,} slots of the queue {queue} are taken: {taken}."
    facts = {"queue": queue, "slots": has.total, "executing": has.executing, "promised": has.promised}
    if before is not None:
        count = turns_before(ready.run, before)
        verb = "run goes" if count.number == 1 else "runs go"
        detail += f" {count} ready {verb} before it." if count.number else " It is next."
        facts |= ahead(count)
    return Blocker(Kind.CAPACITY, detail, ready.since, facts=facts)


def turns_before(run: Run, before: Ahead) -> Count:
    """Count the promotions before that of a run: one new run is promoted after every `RESUMED_IN_A_ROW` resumed ones."""
    if run.resumed:
        others = min(before.other, before.same // RESUMED_IN_A_ROW)
    else:
        others = min(before.other, RESUMED_IN_A_ROW * (before.same + 1))
    return Count.of(before.higher + before.same + others)


def promotion(ready: Ready) -> Blocker:
    """Return the blocker of a run that only waits for its promotion."""
    return Blocker(Kind.PROMOTION, "Nothing blocks it; it is promoted in a moment.", ready.since)


def promoted(ready: Ready) -> Blocker:
    """Return the blocker of a run whose ticket is published."""
    times = ready.run.ticket_n
    detail = "It was promoted and waits for a worker to take its ticket"
    detail += f", which was published {times} times." if times > 1 else "."
    return Blocker(Kind.PROMOTED, detail, ready.run.promoted_at, facts={"publications": times})
