"""Actions on many runs; what belongs to a run that is to be deleted is found by indexes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "bulk",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("filter", sa.JSON(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("matched", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("skipped", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reached", sa.Uuid(), nullable=False),
        sa.Column("until", sa.Uuid(), nullable=False),
        sa.Column("behind", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("action IN ('cancel', 'pause', 'resume', 'retry')", name="bulk_action_known"),
        sa.PrimaryKeyConstraint("id"),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("bulk_open", "bulk", ["id"], unique=False, postgresql_where=sa.text("finished_at IS NULL"))
    op.create_index("signal_run", "signal", ["run_id"], unique=False)
    op.create_index(
        "signal_child",
        "signal",
        ["sender_id"],
        unique=False,
        postgresql_where=sa.text("starts_with(name, 'taxiway.child/') AND consumed_by IS NULL"),
    )
    op.create_index(
        "wait_child",
        "wait",
        [sa.text("(answer ->> 'run')")],
        unique=False,
        postgresql_where=sa.text("kind = 'child' AND resolved_at IS NOT NULL"),
    )
