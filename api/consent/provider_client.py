"""Gives who speaks to the provider of an authorization, or says why nobody can."""

from api.consent.authorization import Authorization
from api.consent.outcome import provider_row
from api.http.problems import Problem
from models.authorization.oauth_client import Speaker
from models.errors import SealBroken
from models.runtime.facts import fact
from models.runtime.settings import settings

SPENT = ("token_unknown", "token_used", "token_expired", "unknown_provider", "provider_failed", "unavailable")
"""What the link of an authorization, and the way back, may be answered with."""


def provider_client(found: Authorization) -> Speaker:
    """Speak to its provider as it is configured now; raises Problem `unknown_provider` or `provider_failed`."""
    name = found.holder.provider
    row = provider_row(name)
    if row is None:
        detail = (
            f"Nobody has introduced the provider {name!r} here yet: `taxiway providers put {name} …`. The run waits."
        )
        raise Problem("unknown_provider", detail)
    try:
        return Speaker.of(row, settings().secret_key)
    except SealBroken as broken:
        fact("provider.unreadable", level="error", provider=name, why=broken)
        detail = f"The client secret of {name} cannot be read: {broken}."
        raise Problem("provider_failed", detail) from None
