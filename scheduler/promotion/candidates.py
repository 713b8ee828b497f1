"""Heads of the ready index: for each class that may run now, the next runs in their order.

A class is (queue, agent, window, resumed). Within it the index is already in the order of promotion: priority, fair tag,
age. So each class costs one short index scan, however many runs wait behind its head. A class that may not run (no worker
serves its agent, or its window is closed) is never read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import tuple_row

from models.runtime.database import Connection

CANDIDATES = """
    SELECT head.* FROM unnest(%(agents)s::text[]) AS served (agent) CROSS JOIN unnest(%(windows)s::text[]) AS may (go)
    CROSS JOIN unnest(%(kinds)s::bool[]) AS class (resumed) CROSS JOIN LATERAL (
        SELECT id, priority, fair_tag, resumed, tenant, agent, lined FROM run
        WHERE queue = %(queue)s AND agent = served.agent AND window_name = may.go AND run.resumed = class.resumed
            AND ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL AND control_request IS NULL
        ORDER BY priority DESC, fair_tag, id LIMIT %(limit)s
    ) AS head
    """


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that only capacity holds back; the fields are the columns of the query, in their order."""

    id: UUID
    priority: int
    fair_tag: float
    resumed: bool
    tenant: str = ""
    agent: str = ""
    lined: bool = False


def read_candidates(
    connection: Connection,
    queue: str,
    *,
    agents: Sequence[str],
    windows: Sequence[str],
    limit: int,
    kinds: Sequence[bool] = (False, True),
) -> list[Candidate]:
    """Read up to `limit` runs from the head of each class of the queue, in any order of classes.

    `kinds` says whether new runs (False), and those that had started (True), are read.
    """
    params = {"queue": queue, "agents": list(agents), "windows": list(windows), "kinds": list(kinds), "limit": limit}
    with connection.cursor(row_factory=tuple_row) as cursor:
        return [Candidate(*row) for row in cursor.execute(CANDIDATES, params).fetchall()]
