"""Callback addresses of providers, and the check that an answer is from its provider (mix-up attacks: RFC 9207, RFC 9700 4.4).

Each provider has its own callback address, so an answer of another provider arrives at another address. Older registrations
share one address; with an `issuer` they are distinguished by the `iss` of the answer.
"""

from api.http.problems import Problem
from models.runtime.settings import settings
from models.tables.provider import Provider

SHARED_CALLBACK = "/v1/auth/callback"


def callback_url(provider: Provider) -> str:
    """Return the callback address to register at the provider."""
    own = f"/{provider.name}" if provider.callback == "own" else ""
    return f"{settings().public_url}{SHARED_CALLBACK}{own}"


def check_sender(provider: Provider, place: str | None, issuer: str | None) -> None:
    """Raise Problem `provider_failed` if an answer is not this provider's.

    `place` is the provider whose own address it arrived at, None for the shared address. A configured issuer must be sent and
    is compared character by character; without a configured issuer, `iss` is ignored.
    """
    if place != (provider.name if provider.callback == "own" else None):
        raise _refused(provider, f"This answer did not arrive at the address of {provider.name}")
    if provider.issuer is not None and issuer != provider.issuer:
        raise _refused(provider, f"This answer does not name {provider.name} as its issuer (iss)")


def _refused(provider: Provider, said: str) -> Problem:
    return Problem("provider_failed", f"{said}. Open the link of {provider.name} again; nothing is lost.")
