"""Encryption of access tokens between a worker and its agent host, so that captured frames contain no token.

Each host has a random key, which it receives outside the frame channel. The standard library has no cipher, so this one is
made of HMAC-SHA256: a keystream of HMAC(key, nonce | counter), and an HMAC over the ciphertext and the place it belongs
to. The construction is sound (encrypt-then-MAC with a PRF in counter mode), but it protects captured frames only: code in the
host, or a process that can read its memory, has the key and the token anyway.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from typing import Final

KEY_BYTES: Final = 32
_NONCE: Final = 16
_TAG: Final = 32


class EnvelopeBroken(Exception):
    """The data was not sealed with this key for this place."""


def seal(key: bytes, text: str, place: str) -> str:
    """Encrypt a text for one place; it cannot be opened at another one."""
    nonce = os.urandom(_NONCE)
    hidden = _mixed(key, nonce, text.encode())
    return base64.b64encode(nonce + hidden + _tag(key, place, nonce + hidden)).decode()


def unseal(key: bytes, sealed: str, place: str) -> str:
    """Return the text that was sealed; raise EnvelopeBroken if key or place differ."""
    try:
        data = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError):
        raise EnvelopeBroken from None
    body, tag = data[:-_TAG], data[-_TAG:]
    if len(body) < _NONCE or not hmac.compare_digest(tag, _tag(key, place, body)):
        raise EnvelopeBroken
    return _mixed(key, body[:_NONCE], body[_NONCE:]).decode()


def _mixed(key: bytes, nonce: bytes, data: bytes) -> bytes:
    ours = hmac.digest(key, b"encrypt", hashlib.sha256)
    blocks = range(0, len(data), hashlib.sha256().digest_size)
    stream = b"".join(hmac.digest(ours, nonce + n.to_bytes(8, "big"), hashlib.sha256) for n in blocks)
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))


def _tag(key: bytes, place: str, body: bytes) -> bytes:
    return hmac.digest(hmac.digest(key, b"authenticate", hashlib.sha256), place.encode() + b"\0" + body, hashlib.sha256)
