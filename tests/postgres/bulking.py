"""Bulk operations on runs: requests one, and carries it out as the leading scheduler does."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from models.ids import new_id
from models.operations import bulk
from models.operations.bulk import Action, Counted
from models.runs.run_filter import RunFilter
from scheduler.duties.bulk import Bulks
from scheduler.duty import Done
from tests.postgres.duel import Connection
from tests.postgres.factory import TENANT, World
from tests.postgres.stepping import do, together

KEY = new_id()
NONE = Counted(0, whole=True)


def ask(world: World, action: str, agent: str, **more: Any) -> UUID:
    """Request an operation as the API does; return its id."""
    wanted = RunFilter(TENANT, agent=agent, **more)
    counted = bulk.count(world.connection, Action(action), wanted)
    row = bulk.start(Action(action), wanted, by="ann", created_by=KEY, counted=counted).one(world.connection)
    assert row
    return cast(UUID, row.id)


def run_state(world: World, asked: UUID) -> dict[str, Any]:
    """Return the operation's row."""
    row = world.connection.execute("SELECT * FROM bulk WHERE id = %s", [asked]).fetchone()
    assert row
    return row


def came_to(world: World, asked: UUID) -> tuple[int, int, int, bool]:
    """Return the numbers done, skipped and failed, and whether the operation has ended."""
    row = run_state(world, asked)
    return row["done"], row["skipped"], row["failed"], row["finished_at"] is not None


def leader() -> Bulks:
    """Return the duty of a new leader."""
    return Bulks(1.0)


def turns(connection: Connection, count: int = 60) -> Done:
    """Carry out what there is as a new leader does."""
    leading, results = leader(), []
    for _ in range(count):
        leading._next = 0.0
        results.append(do(leading, connection))
    return together(results)


def many(world: World, agent: str, count: int, status: str = "QUEUED") -> list[UUID]:
    """Create so many runs together, without events."""
    ids = [new_id() for _ in range(count)]
    world.connection.execute(
        """
        INSERT INTO run (id, tenant, agent, queue, status, ready_at, finished_at, seq)
        SELECT id, %(tenant)s, %(agent)s, 'default', %(status)s, CASE %(status)s WHEN 'QUEUED' THEN now() END,
            CASE %(status)s WHEN 'QUEUED' THEN NULL ELSE now() END, 1 FROM unnest(%(ids)s::uuid[]) AS id
        """,
        {"tenant": TENANT, "agent": agent, "status": status, "ids": ids},
    )
    world.connection.execute(
        "INSERT INTO payload (run_id, tenant, input) SELECT id, tenant, '{}' FROM run WHERE id = ANY(%s)", [ids]
    )
    return ids


def retries(world: World, agent: str) -> list[UUID]:
    """Return the agent's runs that were retried, once for each retry."""
    sql = "SELECT retry_of FROM run WHERE agent = %s AND retry_of IS NOT NULL ORDER BY retry_of"
    return [row["retry_of"] for row in world.connection.execute(sql, [agent]).fetchall()]
