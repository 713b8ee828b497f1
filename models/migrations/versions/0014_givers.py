"""Grants are bound to what gave them.

Those that are there were given by their provider as it is now, as far as the installation knows. Grants without a provider
are bound to nothing: runs that need one ask people again.

A key with `admin` gives only scopes that it has. Until now it gave any, so it gets those of a tenant that it lacks: then
what made keys for others yesterday makes them tomorrow. `operate`, the right over the installation, is added to none.

Providers that are there were registered with the shared address of return, and keep it.
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
_ADMINS = """
    UPDATE api_key SET scopes = scopes || ARRAY(
        SELECT scope FROM unnest('{enqueue,read,decide}'::text[]) WITH ORDINALITY AS tenants (scope, nth)
        WHERE scope <> ALL (scopes) ORDER BY nth)
    WHERE 'admin' = ANY (scopes) AND revoked_at IS NULL AND NOT scopes @> '{enqueue,read,decide}'
    """


def upgrade() -> None:
    for name in ("token_url", "client_id", "revocation_url"):
        op.add_column("grant", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("provider", sa.Column("issuer", sa.Text(), nullable=True))
    op.add_column("provider", sa.Column("callback", sa.Text(), server_default=sa.text("'shared'"), nullable=False))
    op.create_check_constraint("provider_callback_known", "provider", "callback IN ('own', 'shared')")
    op.execute(_BIND)
    op.execute(_ADMINS)
