"""Makes and reads `state`, which leads a person back from a provider to the one wait that sent them there.

Nothing is stored for it: a state carries the wait's id, until when it is good, and random bytes, signed together with the
wait's nonce. The PKCE verifier is derived from these bytes, so that it, too, is known to this installation alone:
`base64url(id | seconds | random | HMAC-SHA256)`.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from uuid import UUID

from models.settings import settings

GOOD_SECONDS = 15 * 60
_ID, _TIME, _RANDOM, _TAG = 16, 8, 16, 32
_LENGTH = _ID + _TIME + _RANDOM + _TAG


@dataclass(frozen=True, slots=True)
class State:
    """What a state says; nothing of it is proved before `genuine`."""

    wait: UUID
    until: int
    random: bytes
    tag: bytes

    @property
    def verifier(self) -> str:
        """The PKCE code verifier (RFC 7636: 43 characters)."""
        return _base64(_hmac(b"pkce", self.wait.bytes + self.random))

    def text(self) -> str:
        """Write it for the provider."""
        return _base64(self.wait.bytes + self.until.to_bytes(_TIME, "big") + self.random + self.tag)

    def genuine(self, nonce: str | None) -> bool:
        """Whether this installation made it for this wait; compared in constant time."""
        return nonce is not None and hmac.compare_digest(self.tag, _tag(self.wait, self.until, self.random, nonce))


def new_state(wait: UUID, nonce: str, now: float) -> State:
    """Make a state for somebody who sets out now."""
    until, random = int(now) + GOOD_SECONDS, secrets.token_bytes(_RANDOM)
    return State(wait, until, random, _tag(wait, until, random, nonce))


def read_state(text: str) -> State | None:
    """Read a state; None when the text is none."""
    if len(text) > 2 * _LENGTH:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != _LENGTH:
        return None
    wait, rest = UUID(bytes=raw[:_ID]), raw[_ID:]
    return State(wait, int.from_bytes(rest[:_TIME], "big"), rest[_TIME : _TIME + _RANDOM], rest[_TIME + _RANDOM :])


def _tag(wait: UUID, until: int, random: bytes, nonce: str) -> bytes:
    return _hmac(b"state", wait.bytes + until.to_bytes(_TIME, "big") + random + nonce.encode())


def _hmac(purpose: bytes, message: bytes) -> bytes:
    return hmac.digest(settings().secret_key.encode(), purpose + b"|" + message, hashlib.sha256)


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
