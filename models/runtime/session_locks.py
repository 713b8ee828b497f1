"""Locks that a session holds for as long as it lives, as others see them: looked up in `pg_locks`, never taken to find out."""

LEADER = 7_246_002
"""Held by the session of the scheduler that leads."""


def held(key: str) -> str:
    """Return the condition that some session of this database holds the lock of a 64-bit key, given as an expression."""
    return f"""EXISTS (
            SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                AND classid = ((({key})::bigint >> 32) & 4294967295)::oid AND objid = (({key})::bigint & 4294967295)::oid
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        )"""
