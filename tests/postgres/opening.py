"""Waits that an agent opens while its run executes, as `open` does it: the run first, then its waits, then what had come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from models import waits
from models.database import Row
from models.moves import NewWait
from models.telling import told
from tests.postgres.duel import Connection

_OPEN = """
    INSERT INTO wait (id, run_id, tenant, key, kind, wake, epoch, request, due_at, on_due, nonce, digest, grant_key)
    SELECT id, %(run)s, %(tenant)s, key, kind, 'any', %(epoch)s, request, now() + due_ms * interval '1 ms', on_due, nonce, digest,
        grant_key
    FROM json_to_recordset(%(waits)s::json) AS new (id uuid, key text, kind text, request json, due_ms bigint, on_due text,
        nonce text, digest text, grant_key text)
    ON CONFLICT (run_id, key) WHERE resolved_at IS NULL DO UPDATE SET wake = 'any', epoch = excluded.epoch
    """

_TELL = f"""
    WITH asked AS (
        SELECT *, row_number() OVER (ORDER BY id) AS nth FROM wait
        WHERE id = ANY(%(waits)s) AND resolved_at IS NULL AND kind IN ('approval', 'authorization')
    ), noted AS (
        UPDATE run SET seq = seq + (SELECT count(*) FROM asked) WHERE id = %(run)s RETURNING *
    )
    INSERT INTO event (run_id, seq, tenant, at, type, status, data)
    SELECT noted.id, noted.seq - (SELECT count(*) FROM asked) + nth, noted.tenant, noted.updated_at,
        CASE asked.kind WHEN 'approval' THEN 'run_approval' ELSE 'authentication' END, noted.status, {told("asked")}
    FROM noted, asked
    """


def open_waits(connection: Connection, run: UUID, tenant: str, worker: UUID, opened: Sequence[NewWait]) -> list[Row]:
    """Open these in the caller's transaction; gives those that are over at once. No row is written past the fence."""
    stands = waits.knock(run, tenant).one(connection)
    assert stands is not None
    if stands["lease_worker"] != worker:
        return []
    written = json.dumps([{**asdict(wait), "id": str(wait.id)} for wait in opened])
    connection.execute(_OPEN, {"run": run, "tenant": tenant, "epoch": stands["epoch"], "waits": written})
    over = waits.deliver(run).all(connection)
    waits.wake(connection, stands, over)
    connection.execute(_TELL, {"run": run, "waits": [wait.id for wait in opened]})
    return over
