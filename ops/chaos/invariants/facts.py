"""All data after the exercise: tables, effects, and the journal of the harness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ops.chaos.effects import Effect
from ops.chaos.journal import Incident, Journal
from ops.chaos.observer import Observer

Row = dict[str, Any]
_RUNS = """
    SELECT run.id::text AS id, parent_run_id::text AS parent, concurrency_key, agent, status, pause_kind, reason, seq, crashes,
        losses, activations, ticket_at, lease_worker, ready_at, control_request, blocked_on, epoch, ticket_n, payload.result,
        payload.error,
        (SELECT count(*) FROM wait WHERE run_id = run.id AND resolved_at IS NULL)::int AS open_waits
    FROM run JOIN payload ON payload.run_id = run.id ORDER BY run.id
    """
_EVENTS = """
    SELECT run_id::text AS run, seq, extract(epoch FROM at)::float AS at, type, verb, status, status_was, reason, data,
        extract(epoch FROM (data ->> 'promotedAt')::timestamptz)::float AS promoted
    FROM event ORDER BY run_id, seq
    """
_WAITS = """
    SELECT id::text AS id, run_id::text AS run, kind, outcome, decided_by, resolved_at IS NULL AS open,
        request -> 'details' ->> 'mark' AS mark
    FROM wait ORDER BY id
    """
_UNFOLDED = "SELECT target_run_id::text AS run, effect FROM outbox ORDER BY id"
_KEYS = "SELECT key, run_ids::text[] AS runs FROM idempotency"


@dataclass
class Facts:
    """The data that the invariants are checked on."""

    journal: Journal
    lease: float
    worker_of: Callable[[str], str]
    """Returns the process behind a worker's label."""
    runs: list[Row] = field(default_factory=list)
    events: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    waits: list[Row] = field(default_factory=list)
    keys: dict[str, list[str]] = field(default_factory=dict)
    unfolded: list[Row] = field(default_factory=list)
    """Effects that have not reached their target runs."""
    effects: dict[str, list[Effect]] = field(default_factory=lambda: defaultdict(list))

    def read(self, observer: Observer, effects: dict[str, list[Effect]]) -> Facts:
        self.runs = observer.rows(_RUNS)
        for row in observer.rows(_EVENTS):
            self.events[row["run"]].append(row)
        self.waits = observer.rows(_WAITS)
        self.keys = {row["key"]: row["runs"] for row in observer.rows(_KEYS)}
        self.unfolded = observer.rows(_UNFOLDED)
        self.effects = effects
        return self

    def activations(self, run: str) -> list[Row]:
        """Return the events that began a run's activations."""
        return [event for event in self.events[run] if event["verb"] in ("start", "continue")]

    def began_before(self, run: str, seq: int) -> Row | None:
        """Return the beginning of the activation that an event ended."""
        return next((event for event in reversed(self.activations(run)) if event["seq"] < seq), None)

    def hits(self, worker: str, faults: frozenset[str], at: float, linger: float) -> list[Incident]:
        """Return the incidents of these faults that hit a worker (or all) and may have had an effect at that time."""
        mine = [
            one
            for one in self.journal.incidents
            if one.fault in faults and (worker in one.target.split() or one.target == "all")
        ]
        return [one for one in mine if one.covers(at, linger)]


def worker_label(event: Row) -> str:
    """Return the worker on which an activation began."""
    return str(event["data"]["worker"])


def step_of(event: Row) -> Row | None:
    """Return the step of an event."""
    step: Row | None = event["data"].get("step") if event["type"] == "step" and event["data"] else None
    return step


Check = Callable[[Facts], None]
