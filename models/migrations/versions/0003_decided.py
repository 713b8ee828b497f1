"""Index of the decisions of people."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    over = sa.text("kind = 'approval' AND resolved_at IS NOT NULL")
    op.create_index("wait_decided", "wait", ["tenant", sa.text("id DESC")], postgresql_where=over)
