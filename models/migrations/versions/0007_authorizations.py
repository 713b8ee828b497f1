"""Providers, and what a grant must know about its tokens."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "provider",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("authorize_url", sa.Text(), nullable=False),
        sa.Column("token_url", sa.Text(), nullable=False),
        sa.Column("revocation_url", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("client_auth", sa.Text(), server_default=sa.text("'basic'"), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("client_auth IN ('basic', 'post', 'none')", name="provider_client_auth_known"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.add_column("grant", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("grant", sa.Column("refreshable", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column(
        "grant", sa.Column("refreshed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    )
