"""Lists find what they show without reading the history: runs of a parent, of a user, not ended, and ended badly; grants.

Runs execute during the migration. Each index is built concurrently: neither reads nor writes wait for it, only the migration
does. An interrupted build leaves an invalid index. It is dropped first, so that the migration can be started again.
"""

from alembic import op

revision = "0015"
down_revision = "0014"

_INDEXES = {
    "run_children": "run (parent_run_id, id) WHERE parent_run_id IS NOT NULL",
    "run_open": "run (tenant, id) WHERE finished_at IS NULL",
    "run_unhappy": "run (tenant, id) WHERE status IN ('FAILED', 'CANCELED')",
    "run_user": "run (tenant, user_id, id) WHERE user_id IS NOT NULL",
    "grant_list": '"grant" (tenant, id)',
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, entries in _INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {entries}")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS run_parent")
        op.execute("ALTER TABLE bulk ADD COLUMN IF NOT EXISTS counted_all boolean DEFAULT true NOT NULL")
