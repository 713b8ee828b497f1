"""Order in which an async agent's run has seen things: a replay shows them in the same order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from taxiway.ledger import Ledger, Recorded, Status, Turn
from taxiway.waits import Settled

_SERVER_ONLY = ("code", "window", "start", "alarm@")


@dataclass(slots=True)
class Entry:
    """One thing that the run sees at the time `at` of its clock (None in older records).

    `keys` are shown one after another: a step's value, outcomes of waits. With `jump` the clock moves to `at` first, and the
    timers that are due by then fire there. Otherwise they fire before the entry, each at its own time. The agent has given up
    what is `gone`. `landed` is called last, for an item that has just been recorded.
    """

    at: float | None
    keys: list[str] = field(default_factory=list)
    gone: tuple[str, ...] = ()
    jump: bool = False
    landed: Callable[[], None] | None = None
    is_step: bool = False


def past(ledger: Ledger, clock: float) -> list[Entry]:
    """Return the records of a run in the order in which it saw them; `clock` is the run's time now, in seconds.

    Records of versions without times are ordered by the database's clock.
    """
    counted = [((record.seq, 0, place), _step(record, clock)) for place, record in enumerate(ledger.finished)]
    counted += [((turn.seq, 1, place), _turn(turn)) for place, turn in enumerate(ledger.turns)]
    counted += [((seq, 1, -1), entry) for seq, entry in _older_waits(ledger, clock)]
    return [entry for _, entry in sorted(counted, key=lambda one: one[0])]


def unseen(ledger: Ledger) -> list[str]:
    """Return the keys of resolved waits that the run has not seen yet, in the order of their outcomes."""
    known = {key for turn in ledger.turns for key in (*turn.seen, *turn.gone)}
    known.update(key for _, entry in _older_waits(ledger, 0.0) for key in entry.keys)
    return [wait.key for wait in ledger.outcomes() if wait.key not in known and is_for_agent(wait)]


def is_for_agent(wait: Settled) -> bool:
    """Return whether the agent or one of its steps waits for this, rather than only the server."""
    return not wait.key.startswith(_SERVER_ONLY) and wait.outcome != "withdrawn"


def moment(database_ms: float | None, clock: float) -> float | None:
    """Return the run's time at a time of the database's clock, if the run's is `clock` now; None for an unknown time."""
    return None if database_ms is None else max(0.0, clock - (time.time() - database_ms / 1000))


def _step(record: Recorded, clock: float) -> Entry:
    at = record.at / 1000 if record.at is not None else moment(record.finished_ms, clock)
    if record.status is Status.ABANDONED:
        return Entry(at, gone=(record.key,), is_step=True)
    return Entry(at, [record.key], is_step=True)


def _turn(turn: Turn) -> Entry:
    return Entry(turn.at / 1000, list(turn.seen), turn.gone, jump=not (turn.seen or turn.gone))


def _older_waits(ledger: Ledger, clock: float) -> Iterator[tuple[int, Entry]]:
    """Yield outcomes that a version without turns saw: those that arrived before the last step that it recorded."""
    older = [record for record in ledger.finished if record.at is None and record.finished_ms is not None]
    noted = {key for turn in ledger.turns for key in turn.seen}
    for wait in ledger.outcomes():
        arrived = wait.resolved_ms
        if arrived is None or wait.key in noted or not is_for_agent(wait):
            continue
        before = [record.seq for record in older if record.finished_ms is not None and record.finished_ms < arrived]
        if len(before) < len(older):
            yield max(before, default=-1), Entry(moment(arrived, clock), [wait.key])
