"""Tokens of links: each names one wait, is valid for one purpose, and is stored nowhere.

Every process derives the same token from the secret key:
`base64url(id of the wait) . base64url(HMAC-SHA256(secret key, purpose | id of the wait | nonce of the wait))`.
"""

import base64
import binascii
import hashlib
import hmac
from enum import StrEnum
from uuid import UUID

from models.runtime.settings import settings

_LONGEST = 100
_ID_BYTES = 16


class Purpose(StrEnum):
    """What a link lets its holder do; a token for one purpose is invalid for another."""

    APPROVAL = "approval"
    AUTHORIZATION = "authorization"


def token(purpose: Purpose, wait: UUID, nonce: str) -> str:
    """Return the token of a wait."""
    message = f"{purpose}|{wait}|{nonce}".encode()
    return f"{_base64(wait.bytes)}.{_base64(hmac.digest(settings().secret_key.encode(), message, hashlib.sha256))}"


def wait_named_by(text: str) -> UUID | None:
    """Return the id of the wait that a token names, None if the text is not a token. It proves nothing yet."""
    head = text.partition(".")[0]
    if len(text) > _LONGEST:
        return None
    try:
        raw = base64.b64decode(head + "=" * (-len(head) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return UUID(bytes=raw) if len(raw) == _ID_BYTES else None


def is_genuine(text: str, purpose: Purpose, wait: UUID, nonce: str | None) -> bool:
    """Return whether the text is, byte for byte, the token of this wait; compared in constant time."""
    return nonce is not None and hmac.compare_digest(
        text.encode("utf-8", "replace"), token(purpose, wait, nonce).encode()
    )


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
