"""Encrypts what the database must not know: OAuth tokens and client secrets.

AES-256-GCM with a key derived from `TAXIWAY_SECRET_KEY` by HKDF. A sealed text is bound to its place (table, tenant, subject,
provider), so that nobody with write access to the tables can move one row's secret into another. It begins with the id of
its key: under another key the error says so, instead of "damaged".
"""

import base64
import binascii
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from models.errors import SealBroken

_FORMAT = "v1"
_NONCE_BYTES = 12


def seal(secret_key: str, text: str, place: tuple[str, ...]) -> str:
    """Encrypt a text for one place."""
    nonce = os.urandom(_NONCE_BYTES)
    cipher = AESGCM(_derived(secret_key, "seal", 32)).encrypt(nonce, text.encode(), _bound(place))
    return f"{_FORMAT}.{_key_id(secret_key)}.{base64.urlsafe_b64encode(nonce + cipher).decode()}"


def unseal(secret_key: str, sealed: str, place: tuple[str, ...]) -> str:
    """Decrypt what was sealed for this place; raises SealBroken with the reason."""
    form, _, rest = sealed.partition(".")
    key, _, body = rest.partition(".")
    if form == _FORMAT and key != _key_id(secret_key):
        raise SealBroken("it was stored under another TAXIWAY_SECRET_KEY; set that one again, or authorize again")
    try:
        data = base64.urlsafe_b64decode(body)
        cipher = AESGCM(_derived(secret_key, "seal", 32))
        return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _bound(place)).decode()
    except (InvalidTag, binascii.Error, ValueError):
        raise SealBroken("what is stored was damaged, or moved from another row") from None


def grant_place(tenant: str, subject: str, provider: str) -> tuple[str, ...]:
    """Name the place of a grant's tokens."""
    return ("grant", tenant, subject, provider)


def provider_place(name: str) -> tuple[str, ...]:
    """Name the place of a provider's client secret."""
    return ("provider", name)


@lru_cache(maxsize=32)
def _derived(secret_key: str, purpose: str, length: int) -> bytes:
    return HKDF(SHA256(), length, None, f"taxiway {purpose}".encode()).derive(secret_key.encode())


def _key_id(secret_key: str) -> str:
    return _derived(secret_key, "key id", 4).hex()


def _bound(place: tuple[str, ...]) -> bytes:
    """Write a place so that no two have the same bytes."""
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in place)
