"""The park of a wait, the maker of a run, and whether a run has children."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("wait", sa.Column("epoch", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("run", sa.Column("children", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("run", sa.Column("created_by", sa.Uuid(), nullable=True))
