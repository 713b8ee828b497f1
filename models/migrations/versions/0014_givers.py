"""Grants are bound to what gave them.

Those that are there were given by their provider as it is now, as far as the installation knows. Grants without a provider
are bound to nothing: whoever needs one is asked again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_BIND = """
    UPDATE "grant" AS held
    SET token_url = provider.token_url, client_id = provider.client_id, revocation_url = provider.revocation_url
    FROM provider WHERE provider.name = held.provider
    """


def upgrade() -> None:
    for name in ("token_url", "client_id", "revocation_url"):
        op.add_column("grant", sa.Column(name, sa.Text(), nullable=True))
    op.execute(_BIND)
