"""A write that changes nothing: its row is taken back, and the database has found room for it or refused it."""

from typing import Any

import psycopg

from models.ids import new_id

# Random text, so that it is not compressed: the table has to find room for it.
_PROBE = """
    INSERT INTO idempotency (tenant, key, body_digest, run_ids)
    SELECT '', %(key)s, string_agg(md5(random()::text), ''), '{}' FROM generate_series(1, 200)
    RETURNING key
    """


def probe_write(connection: psycopg.Connection[Any]) -> None:
    """Write a row of some six kilobytes; for a transaction that is rolled back."""
    connection.execute(_PROBE, {"key": str(new_id())})
