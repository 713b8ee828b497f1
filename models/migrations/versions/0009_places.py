"""Runs that compete for places wait in lines; queue times end by an index; what a rate let start is counted."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("run", sa.Column("lined", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.drop_index("run_blocked", "run")
    op.create_index(
        "run_blocked",
        "run",
        [
            "blocked_on",
            sa.text("coalesce(blocked_until, '-infinity'::timestamptz)"),
            sa.text("priority DESC"),
            "fair_tag",
            "id",
        ],
        unique=False,
        postgresql_where=sa.text("blocked_on IS NOT NULL"),
    )
    op.add_column("queue", sa.Column("cordoned", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("queue", sa.Column("tenant_limit", sa.Integer(), nullable=True))
    op.add_column("queue", sa.Column("key_limit", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.create_check_constraint("queue_limits_positive", "queue", "run_limit > 0 AND tenant_limit > 0 AND key_limit > 0")
    op.create_check_constraint("agent_limit_positive", "agent", "run_limit > 0")
    _places()
    op.create_table(
        "expiry",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_index("expiry_next", "expiry", ["at"], unique=False)
    op.create_table(
        "rate_slot",
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("starts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("queue", "at"),
    )


def _places() -> None:
    op.create_table(
        "place",
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("line", "run_id"),
    )
    op.create_index("place_run", "place", ["run_id"], unique=False)
    op.create_table(
        "place_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("queue", sa.Text(), nullable=True),
        sa.CheckConstraint("(run_id IS NULL) <> (queue IS NULL)", name="place_change_of_one"),
        sa.PrimaryKeyConstraint("id"),
    )
