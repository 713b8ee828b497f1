"""The fair order is one for each priority of a queue: a run that overtakes its tenant's backlog carries no time past it."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

# Whose runs wait stands where the last of them stands; whose runs have all begun begins where the others are.
_TAGS = """
    INSERT INTO tenant_tag (queue, priority, tenant, last_tag)
    SELECT queue, priority, tenant, max(fair_tag) FROM run WHERE status = 'QUEUED' GROUP BY queue, priority, tenant
    """
_TIMES = """
    INSERT INTO virtual_time (queue, priority, tag)
    SELECT waiting.queue, waiting.priority, queue.virtual_time
    FROM (SELECT DISTINCT queue, priority FROM run WHERE finished_at IS NULL) AS waiting
    JOIN queue ON queue.name = waiting.queue
    """


def upgrade() -> None:
    op.create_table(
        "tenant_tag",
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("last_tag", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("queue", "priority", "tenant"),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "virtual_time",
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("tag", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("queue", "priority"),
        postgresql_with={"fillfactor": 50},
    )
    op.execute(_TAGS)
    op.execute(_TIMES)
    op.execute("DELETE FROM tenant_share WHERE weight = 1")
    op.execute("ALTER TABLE tenant_share RESET (fillfactor)")
    op.drop_column("tenant_share", "last_tag")
    op.drop_column("queue", "virtual_time")
