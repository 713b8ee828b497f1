"""Bulk operations: an action on many runs, stored as one row and executed run by run, once for each, even if a leader dies.

The transaction that acts on a run also advances the row, guarded by the row's version: both happen or neither. So a new leader
resumes at the stored position; of two concurrent leaders, one fails the version check.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg

from models.ids import new_id
from models.lifecycle import TERMINAL, Status
from models.runs.run_filter import RunFilter
from models.runs.search import Counts, Search
from models.statement import Statement

MOST_OPEN = 10
"""Operations of one tenant that may be under way at the same time."""
STRETCHES = 10
"""Stretches of a search that the count reads; no action depends on the count."""


class Action(StrEnum):
    """An action on many runs."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"


_PAUSES_ITSELF = """(status IN ('PAUSED', 'AUTH_REQUIRED')
            OR lease_worker IS NOT NULL AND control_request IS DISTINCT FROM 'cancel')
        AND EXISTS (SELECT FROM wait WHERE wait.run_id = run.id AND wait.epoch = run.epoch AND wait.resolved_at IS NULL
            AND wait.kind IN ('code', 'user') OFFSET 0)"""
_TO_RESUME = f"pause_kind = 'user' OR control_request = 'pause' OR ({_PAUSES_ITSELF})"
# The runs to which an action applies in their present state: those on which the call for one run would have an effect.
_APPLIES = {
    Action.CANCEL: "finished_at IS NULL",
    Action.PAUSE: """finished_at IS NULL AND pause_kind IS DISTINCT FROM 'user'
        AND (control_request IS NULL OR control_request = 'window')""",
    Action.RESUME: f"finished_at IS NULL AND ({_TO_RESUME})",
    Action.RETRY: "status IN ('FAILED', 'CANCELED')",
}
# The statuses that such a run may have. The count reads only these.
_AMONG = {action: frozenset(Status) - TERMINAL for action in Action} | {
    Action.RETRY: frozenset({Status.FAILED, Status.CANCELED})
}
# Accepts an operation on the tenant's runs of this moment, unless too many of its operations are under way.
_START = f"""
    INSERT INTO bulk (id, tenant, action, filter, by, created_by, matched, counted_all, reached, until)
    SELECT %(id)s, %(tenant)s, %(action)s, %(filter)s::json, %(by)s, %(created_by)s, %(matched)s, %(counted_all)s, %(first)s,
        least(%(last)s, coalesce((SELECT id FROM run WHERE tenant = %(tenant)s ORDER BY id DESC LIMIT 1), %(first)s))
    WHERE (SELECT count(*) FROM bulk WHERE tenant = %(tenant)s AND finished_at IS NULL) < {MOST_OPEN}
    RETURNING *
    """
# Stores how far an operation has come. The version decides between two leaders: the later one finds no row.
_MOVE_ON = """
    UPDATE bulk SET reached = %(reached)s, behind = %(behind)s::uuid[], done = done + %(done)s, skipped = skipped + %(skipped)s,
        failed = failed + %(failed)s, version = version + 1, finished_at = CASE WHEN %(over)s THEN now() END
    WHERE id = %(id)s AND version = %(version)s AND finished_at IS NULL
    RETURNING *
    """


@dataclass(frozen=True, slots=True)
class StoredBulk:
    """An operation on many runs as its row says; see `models.tables.bulk`."""

    id: UUID
    tenant: str
    action: str
    filter: Any
    by: str
    created_by: UUID
    matched: int
    counted_all: bool
    done: int
    skipped: int
    failed: int
    reached: UUID
    until: UUID
    behind: Sequence[UUID]
    version: int
    created_at: datetime
    finished_at: datetime | None


def fits(action: Action, wanted: RunFilter, *, one_by_one: bool = False) -> tuple[str, dict[str, Any]]:
    """Return the condition that a row of `run` meets the filter and that the action applies to its present state."""
    sql, params = wanted.condition(one_by_one=one_by_one)
    return f"({sql}\n    AND {_APPLIES[action]})", params


@dataclass(frozen=True, slots=True)
class Counted:
    """How many runs the action would apply to now; `whole` is true if the count left none out."""

    matched: int
    whole: bool


def count(connection: psycopg.Connection[Any], action: Action, wanted: RunFilter) -> Counted:
    """Count the runs to which the action would apply now, in a few stretches of a search; needs search.PLAN."""
    found = Counted(0, whole=False)
    for search in (Search(wanted, _AMONG[action]), Search(wanted, _AMONG[action], labels=False)):
        if not found.whole:
            counts = counting(action, search).one(connection)
            assert counts is not None, "an aggregate always returns a row"
            whole = counts.looked < STRETCHES * search.entries
            found = Counted(counts.matched if whole else max(found.matched, counts.matched), whole)
        if not wanted.labels:
            break
    return found


def counting(action: Action, search: Search) -> Statement[Counts]:
    """Return the statement that counts in what a search reads."""
    return search.count(*fits(action, search.wanted, one_by_one=True), STRETCHES)


def start(action: Action, wanted: RunFilter, *, by: str, created_by: UUID, counted: Counted) -> Statement[StoredBulk]:
    """Accept the action on the present runs. Returns no row if too many operations of the tenant are under way."""
    first, last = wanted.bounds()
    requested: dict[str, Any] = {
        "action": action,
        "filter": json.dumps(wanted.document()),
        "by": by,
        "created_by": created_by,
    }
    requested |= {"matched": counted.matched, "counted_all": counted.whole, "first": first, "last": last}
    return Statement(_START, {"id": new_id(), "tenant": wanted.tenant, **requested}, StoredBulk)


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of an operation: the last run reached, the runs left behind, and the results since the last progress."""

    reached: UUID
    behind: Sequence[UUID] = ()
    done: int = 0
    skipped: int = 0
    failed: int = 0
    over: bool = False


def move_on(bulk: UUID, version: int, progress: Progress) -> Statement[StoredBulk]:
    """Store the progress, as read at this version. Returns no row if another leader has advanced the operation."""
    return Statement(
        _MOVE_ON, {"id": bulk, "version": version, **asdict(progress), "behind": list(progress.behind)}, StoredBulk
    )
