"""Changes and overrides of windows, with their author and reason."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("window", sa.Column("override_reason", sa.Text(), nullable=True))
    op.create_check_constraint("window_override_known", "window", "override IN ('open', 'closed')")
    op.create_check_constraint("window_override_ends", "window", "(override IS NULL) = (override_until IS NULL)")
    op.create_table(
        "window_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("window_name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=True),
        sa.CheckConstraint("change IN ('put', 'deleted', 'override', 'override_ended')", name="window_change_known"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("window_change_newest", "window_change", ["window_name", sa.text("id DESC")], unique=False)
