"""A window that closes asks executing runs to park; what waits for a window is found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.drop_constraint("run_control_known", "run", type_="check")
    op.create_check_constraint("run_control_known", "run", "control_request IN ('window', 'pause', 'cancel')")
    op.create_index(
        "wait_window",
        "wait",
        [sa.text("(request ->> 'window')")],
        unique=False,
        postgresql_where=sa.text("resolved_at IS NULL AND kind = 'window'"),
    )
