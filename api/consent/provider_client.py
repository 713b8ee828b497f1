"""OAuth client for the provider of an authorization."""

from api.consent.authorization import Authorization
from api.consent.outcome import provider_row
from api.http.problems import Problem
from models.authorization.oauth_client import Speaker
from models.errors import SealBroken
from models.runtime.facts import fact
from models.runtime.settings import settings

SPENT = ("token_unknown", "token_used", "token_expired", "unknown_provider", "provider_failed", "unavailable")
"""Problem codes of an authorization's link and of the callback."""


def provider_client(found: Authorization) -> Speaker:
    """Return a client for the provider's present configuration; raises Problem `unknown_provider` or `provider_failed`."""
    name = found.holder.provider
    row = provider_row(name)
    if row is None:
        detail = f"The provider {name!r} is not configured yet: `taxiway providers put {name} …`. The run waits."
        raise Problem("unknown_provider", detail)
    try:
        return Speaker.of(row, settings().secret_key)
    except SealBroken as broken:
        fact("provider.unreadable", level="error", provider=name, why=broken)
        detail = f"The client secret of {name} cannot be read: {broken}."
        raise Problem("provider_failed", detail) from None
