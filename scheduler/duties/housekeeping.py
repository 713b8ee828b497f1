"""Deletion of old rows beside the runs: idempotency keys after 7 days, dead workers after a day, starts that no rate counts
any longer after two, firings and operations on many runs after 30 days, and tenants' tags that their fair order has passed.
`scheduler.duties.retention` deletes the runs themselves.
"""

from collections.abc import Iterator

from models.runtime.database import Connection
from scheduler.duty import Done, Duty

TICK_SECONDS = 600.0

_DELETE_OLD = (
    "DELETE FROM firing WHERE noted_at < now() - interval '30 days'",
    "DELETE FROM bulk WHERE finished_at < now() - interval '30 days'",
    "DELETE FROM rate_slot WHERE at < now() - interval '2 days'",  # the longest span is a day
    """DELETE FROM tenant_tag USING virtual_time AS reached WHERE tenant_tag.queue = reached.queue
        AND tenant_tag.priority = reached.priority AND last_tag <= reached.tag""",
    "DELETE FROM idempotency WHERE created_at < now() - interval '7 days'",
    "DELETE FROM worker WHERE dead_at < now() - interval '1 day' AND NOT EXISTS (SELECT FROM run WHERE lease_worker = worker.id)",
)


class Housekeeping(Duty):
    """Deletes every ten minutes."""

    def step(self, connection: Connection) -> Iterator[Done]:
        """Delete what is too old."""
        for statement in _DELETE_OLD:
            connection.execute(statement)
        yield Done(TICK_SECONDS)
