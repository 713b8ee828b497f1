"""The table of runs is vacuumed early, its indexes too: what was promoted lately is else still in the way of what is next."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("ALTER TABLE run SET (autovacuum_vacuum_scale_factor = 0.02, vacuum_index_cleanup = on)")
