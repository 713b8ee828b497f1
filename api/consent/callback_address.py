"""Where a provider sends people back to, and whether what came back is its answer (mix-up attacks: RFC 9207, RFC 9700 4.4).

Each provider has an address of return of its own, so an answer of another one comes back at another place. Providers that were
registered before share one address; with an `issuer` they are told apart by what they say of themselves.
"""

from api.http.problems import Problem
from models.runtime.settings import settings
from models.tables.provider import Provider

SHARED_CALLBACK = "/v1/auth/callback"


def callback_url(provider: Provider) -> str:
    """Return the address to register at the provider."""
    own = f"/{provider.name}" if provider.callback == "own" else ""
    return f"{settings().public_url}{SHARED_CALLBACK}{own}"


def check_sender(provider: Provider, place: str | None, issuer: str | None) -> None:
    """Raise Problem `provider_failed` when an answer is not this provider's.

    `place` is whose address of return it came to, None for the shared one. An issuer is compared letter by letter where one
    is configured, and is missed where it is not sent; where none is configured there is nothing to compare it with.
    """
    if place != (provider.name if provider.callback == "own" else None):
        raise _refused(provider, f"This came back at another address than that of {provider.name}")
    if provider.issuer is not None and issuer != provider.issuer:
        raise _refused(provider, f"This answer does not say that it is of {provider.name} (iss)")


def _refused(provider: Provider, said: str) -> Problem:
    return Problem("provider_failed", f"{said}. Open the link of {provider.name} once more, and nothing is lost.")
