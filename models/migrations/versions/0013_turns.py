"""Async agents: steps that were given up, when each step was seen, what the agent saw in which order, what keeps a slot.

The row of a worker says which format it records: those of before have 1, and a worker of this version waits until they have left.

Runs execute while the table of steps changes. Each change of it is a statement and a transaction of its own, so that it holds one
lock at a time and deadlocks with nothing. It waits for that lock only briefly, since all others queue behind it; then it makes
room and tries again. The scan of old rows that `VALIDATE` needs stops neither reads nor writes. Each statement may run twice.
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_STEP = """
    ALTER TABLE step ADD COLUMN IF NOT EXISTS at_ms double precision,
        DROP CONSTRAINT IF EXISTS step_status_known,
        ADD CONSTRAINT step_status_known
            CHECK (status IN ('succeeded', 'failed', 'retrying', 'intended', 'abandoned')) NOT VALID
    """
_WORKER = "ALTER TABLE worker ADD COLUMN IF NOT EXISTS records smallint DEFAULT 1 NOT NULL"
_OLD_ROWS = "ALTER TABLE step VALIDATE CONSTRAINT step_status_known"

# The last is longer than `deadlock_timeout`: only then does PostgreSQL cancel an autovacuum that holds the table.
_PATIENCE_MS = (50, 100, 200, 200, 200, 500, 500, 500, 1500)
_ROOM_SECONDS = 0.5
_LONGEST_SECONDS = 600.0
_LOCK_NOT_AVAILABLE = "55P03"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        _patiently(_STEP)
        _patiently(_OLD_ROWS)
        _patiently(_WORKER)
    op.create_table(
        "turn",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.Double(), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen", sa.JSON(), nullable=False),
        sa.Column("gone", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "epoch", "n"),
    )
    op.create_table(
        "held",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("what", sa.JSON(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("run_id"),
    )


def _patiently(statement: str) -> None:
    """Execute a statement that needs a lock on a busy table; raises the last refusal after ten minutes."""
    deadline, tries = time.monotonic() + _LONGEST_SECONDS, 0
    while True:
        op.execute(f"SET lock_timeout = {_PATIENCE_MS[tries % len(_PATIENCE_MS)]}")
        try:
            op.execute(statement)
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE or time.monotonic() > deadline:
                raise
            tries += 1
            time.sleep(_ROOM_SECONDS)
        else:
            op.execute("RESET lock_timeout")
            return
