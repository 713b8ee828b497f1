"""Forgets what nobody may ask for any more: idempotency keys after 7 days, dead workers after a day, starts that no rate counts
any more after two, firings and operations on many runs after 30 days, and where tenants stood in a fair order that has passed
them. Runs themselves are forgotten by `scheduler.duties.retention`.
"""

from models.runtime.database import Connection

TICK_SECONDS = 600.0

_FORGET = (
    "DELETE FROM firing WHERE noted_at < now() - interval '30 days'",
    "DELETE FROM bulk WHERE finished_at < now() - interval '30 days'",
    "DELETE FROM rate_slot WHERE at < now() - interval '2 days'",  # the longest span is a day
    """DELETE FROM tenant_tag USING virtual_time AS reached WHERE tenant_tag.queue = reached.queue
        AND tenant_tag.priority = reached.priority AND last_tag <= reached.tag""",
    "DELETE FROM idempotency WHERE created_at < now() - interval '7 days'",
    "DELETE FROM worker WHERE dead_at < now() - interval '1 day' AND NOT EXISTS (SELECT FROM run WHERE lease_worker = worker.id)",
)


class Housekeeping:
    """Cleans every ten minutes."""

    def step(self, connection: Connection) -> float:
        """Delete what is too old."""
        for statement in _FORGET:
            connection.execute(statement)
        return TICK_SECONDS
