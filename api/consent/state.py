"""OAuth `state`: leads a person back from a provider to the wait that sent them there.

Nothing is stored for it. A state carries the wait's id, its expiry, random bytes, and a digest of the provider's configuration,
signed together with the wait's nonce. The PKCE verifier is derived from the random bytes, so only this installation knows it:
`base64url(id | seconds | random | digest | HMAC-SHA256)`.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, replace
from uuid import UUID

from models.runtime.settings import settings
from models.tables.provider import Provider

GOOD_SECONDS = 15 * 60
_ID, _TIME, _RANDOM, _PROVIDER, _TAG = 16, 8, 16, 16, 32
_LENGTH = _ID + _TIME + _RANDOM + _PROVIDER + _TAG


@dataclass(frozen=True, slots=True)
class State:
    """The fields of a state; none is proved before `genuine`."""

    wait: UUID
    until: int
    random: bytes
    provider: bytes
    tag: bytes

    @property
    def verifier(self) -> str:
        """The PKCE code verifier (RFC 7636: 43 characters)."""
        return _base64(_hmac(b"pkce", self.wait.bytes + self.random))

    @property
    def browser(self) -> str:
        """The secret for the cookie of the browser that starts."""
        return _base64(_hmac(b"browser", self.wait.bytes + self.random))

    def text(self) -> str:
        """Return the state as text for the provider."""
        return _base64(self._said + self.tag)

    def genuine(self, nonce: str | None) -> bool:
        """Return whether this installation made it for this wait; compared in constant time."""
        return nonce is not None and hmac.compare_digest(self.tag, self.signed(nonce))

    def signed(self, nonce: str) -> bytes:
        """Return the tag over its fields and the nonce."""
        return _hmac(b"state", self._said + nonce.encode())

    def is_of(self, provider: Provider) -> bool:
        """Return whether the provider's configuration is the one that this state was made for."""
        return hmac.compare_digest(self.provider, _digest(provider))

    @property
    def _said(self) -> bytes:
        return self.wait.bytes + self.until.to_bytes(_TIME, "big") + self.random + self.provider


def new_state(wait: UUID, nonce: str, now: float, provider: Provider) -> State:
    """Return a state for a person who starts now."""
    until, random = int(now) + GOOD_SECONDS, secrets.token_bytes(_RANDOM)
    begun = State(wait, until, random, _digest(provider), b"")
    return replace(begun, tag=begun.signed(nonce))


def read_state(text: str) -> State | None:
    """Parse a state; None if the text is not a state."""
    if len(text) > 2 * _LENGTH:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != _LENGTH:
        return None
    parts, at = [], 0
    for length in (_ID, _TIME, _RANDOM, _PROVIDER, _TAG):
        parts.append(raw[at : at + length])
        at += length
    wait, until, random, provider, tag = parts
    return State(UUID(bytes=wait), int.from_bytes(until, "big"), random, provider, tag)


def _digest(provider: Provider) -> bytes:
    """Return a digest of the addresses and the client of a provider; equal digests mean equal addresses."""
    said = [
        provider.name,
        provider.authorize_url,
        provider.token_url,
        provider.client_id,
        provider.callback,
        provider.issuer,
    ]
    return hashlib.sha256(json.dumps(said).encode()).digest()[:_PROVIDER]


def _hmac(purpose: bytes, message: bytes) -> bytes:
    return hmac.digest(settings().secret_key.encode(), purpose + b"|" + message, hashlib.sha256)


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
