"""Results of a schedule's firings, and its runs that have not ended."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column(
        "schedule",
        sa.Column("open_runs", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column("schedule", sa.Column("created_by", sa.Uuid(), nullable=True))
    op.create_table(
        "firing",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("noted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("outcome IN ('fired', 'skipped', 'by_hand')", name="firing_outcome_known"),
        sa.CheckConstraint("(outcome = 'skipped') = (run_id IS NULL)", name="firing_made_a_run_or_not"),
        sa.PrimaryKeyConstraint("tenant", "schedule", "at"),
    )
