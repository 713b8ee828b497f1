"""Gates that hold a ready run: pauses, windows, its start time. Rules without I/O.

Gates of the queue and of the agent are shown also for a run with a blocker of its own, because they come next.
"""

from collections.abc import Callable, Mapping
from typing import Any

from api.explain.blocker import Blocker, runs, short, spoken
from api.explain.blocker_kinds import Kind
from api.explain.snapshot import Ready
from models.blocked_on import DECLINED, NOT_BEFORE, OVERLAP
from models.runs.public_event import timestamp


def closed(ready: Ready) -> list[Blocker]:
    """Return the closed gates of this run: its own, and those of its queue, its agent and their windows."""
    return [*_own(ready), *_queue(ready), *_agent(ready), *_windows(ready)]


def _own(ready: Ready) -> list[Blocker]:
    found = [_held(ready)] if ready.run.control_request == "pause" else []
    if ready.run.blocked_on in _OWN:
        found.append(_OWN[ready.run.blocked_on](ready))
    return found


def _held(ready: Ready) -> Blocker:
    run = ready.run
    detail = f"{run.control_by or 'A user'} paused it; it does not start until it is resumed."
    return Blocker(Kind.HELD, detail, run.control_at, facts={"by": run.control_by, "comment": run.control_reason})


def _not_before(ready: Ready) -> Blocker:
    detail = f"Its start time has not come yet.{_over(ready)}"
    return Blocker(Kind.NOT_BEFORE, detail, ready.run.created_at, ready.run.blocked_until)


def _declined(ready: Ready) -> Blocker:
    detail = f"A worker that does not take runs of {ready.run.agent} returned its ticket.{_over(ready)}"
    return Blocker(Kind.DECLINED, detail, ready.run.promoted_at, ready.run.blocked_until)


def _over(ready: Ready) -> str:
    until = ready.run.blocked_until
    return " This ends in a moment." if until is not None and until <= ready.now else ""


def _overlap(ready: Ready) -> Blocker:
    if ready.overlap is None or not ready.overlap.earlier:
        return Blocker(Kind.OVERLAP, "The runs before it have ended; it may start in a moment.")
    schedule, earlier = ready.overlap.schedule, ready.overlap.earlier
    which = "Earlier runs" if len(earlier) > 1 else "An earlier run"
    have = "have" if len(earlier) > 1 else "has"
    detail = f"{which} of its schedule {schedule} {have} not ended: {spoken(earlier)}."
    return Blocker(Kind.OVERLAP, detail, facts={"schedule": schedule, "runs": runs(earlier)})


_OWN: Mapping[str | None, Callable[[Ready], Blocker]] = {
    NOT_BEFORE: _not_before,
    DECLINED: _declined,
    OVERLAP: _overlap,
}


def _queue(ready: Ready) -> list[Blocker]:
    queue, found = ready.queue, list[Blocker]()
    if queue.paused:
        found.append(Blocker(Kind.QUEUE_PAUSED, f"The queue {queue.name} is paused.", facts={"queue": queue.name}))
    if queue.cordoned and not ready.run.resumed:
        detail = f"The queue {queue.name} starts no new runs; started runs continue."
        found.append(Blocker(Kind.QUEUE_CORDONED, detail, facts={"queue": queue.name}))
    return found


def _agent(ready: Ready) -> list[Blocker]:
    agent = ready.agent
    if not agent.paused:
        return []
    return [Blocker(Kind.AGENT_PAUSED, f"The agent {agent.name} is paused.", facts={"agent": agent.name})]


def _windows(ready: Ready) -> list[Blocker]:
    through: dict[str, list[str]] = {}
    for what, name in (("queue", ready.queue.window_name), ("agent", ready.agent.window)):
        if ready.windows.closed(name):
            through.setdefault(str(name), []).append(what)
    own = ready.run.window_name
    if own and not ready.windows.standing(own).open:
        through[own] = ["run", *through.get(own, [])]
    return [_window(ready, name, what) for name, what in through.items()]


def _window(ready: Ready, name: str, through: list[str]) -> Blocker:
    gated = {"run": "this run", "queue": f"the queue {ready.queue.name}", "agent": f"the agent {ready.agent.name}"}
    detail = f"The window {name}, which gates {' and '.join(gated[what] for what in through)}, is closed."
    facts: dict[str, Any] = {"window": name, "through": through}
    window = ready.windows.by_name.get(name)
    if window is None:
        detail = f"The run names the window {name}, which no longer exists."
    elif window.override == "closed" and window.override_until is not None and window.override_until > ready.now:
        why = f": {short(window.override_reason)}" if window.override_reason else ""
        detail += f" {window.override_by or 'A user'} holds it closed{why}."
        facts |= {
            "by": window.override_by, "comment": window.override_reason, "overrideUntil": timestamp(window.override_until),
        }  # fmt: skip
    return Blocker(Kind.WINDOW_CLOSED, detail, until=ready.windows.standing(name).until, facts=facts)
