"""The waits of a run are found by an index, also those that are over."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("wait_run", "wait", ["run_id"])
