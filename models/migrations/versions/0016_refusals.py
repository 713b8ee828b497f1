"""Refusals: functions by which a statement ends its transaction with an SQLSTATE of the application's own.

A statement calls `step_was_finished` where a step that it records had an outcome already. Statements of the version before
divide by zero there, and continue to do so. The migration takes no lock on any table.
"""

from alembic import op

revision = "0016"
down_revision = "0015"

_STEP_WAS_FINISHED = """
    CREATE OR REPLACE FUNCTION step_was_finished() RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION USING ERRCODE = 'TX001', MESSAGE = 'this step was finished before';
    END
    $$
    """


def upgrade() -> None:
    op.execute(_STEP_WAS_FINISHED)


def downgrade() -> None:
    op.execute("DROP FUNCTION IF EXISTS step_was_finished()")
