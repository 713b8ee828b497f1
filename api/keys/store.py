"""Store of API keys. A key's secret is shown once, when it is created; only its SHA-256 is stored.

The scope `operate` covers the installation: queues, windows, workers, agents, providers. All other scopes are limited to a
tenant. A tenant's admin assigns roles freely; the tenant's agents decide what they mean.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, insert
from sqlmodel import Session, col, select, update

from models.ids import new_id
from models.runtime.engine import engine
from models.tables.api_key import ApiKey

SCOPES = ("enqueue", "read", "decide", "operate", "admin")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key with its secret, which is never shown again."""

    id: UUID
    secret: str


def digest(secret: str) -> str:
    """Return the hash that is stored. A secret is 256 random bits, so a slow hash would add no protection."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def check(tenant: str, name: str, scopes: Sequence[str], roles: Sequence[str]) -> None:
    """Raise ValueError with a sentence for people if such a key is not allowed."""
    if not _TENANT.fullmatch(tenant):
        raise ValueError(
            "A tenant is 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit."
        )
    words = [("name", name), *(("role", role) for role in roles)]
    for kind, word in words:
        if not 1 <= len(word) <= 128 or not word.isprintable():
            raise ValueError(f"A {kind} is 1 to 128 printable characters.")
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise ValueError(f"The scopes of a key are one or more of: {', '.join(SCOPES)}.")


def create(tenant: str, name: str, scopes: Sequence[str], roles: Sequence[str]) -> NewKey:
    """Store a new key and return it with its secret: `tw_` and 43 characters. Raises ValueError like check()."""
    check(tenant, name, scopes, roles)
    with engine().begin() as connection:
        return add(connection, tenant, name, scopes, roles)


def add(connection: Connection, tenant: str, name: str, scopes: Sequence[str], roles: Sequence[str]) -> NewKey:
    """Store a checked new key in the caller's transaction."""
    made = NewKey(new_id(), f"tw_{secrets.token_urlsafe(32)}")
    scopes, roles = list(dict.fromkeys(scopes)), list(dict.fromkeys(roles))
    key = {"id": made.id, "tenant": tenant, "name": name, "hash": digest(made.secret)}
    connection.execute(insert(ApiKey).values(**key, scopes=scopes, roles=roles))
    return made


def lock(connection: Connection, *keys: UUID) -> dict[UUID, Row[Any]]:
    """Lock the valid ones of these keys against revocation, and return their `tenant` and `scopes` by id.

    They are locked in the order of their ids, so that two keys that revoke each other do not deadlock.
    """
    wanted = select(ApiKey.id, ApiKey.tenant, ApiKey.scopes).where(
        col(ApiKey.id).in_(keys), col(ApiKey.revoked_at).is_(None)
    )
    rows = connection.execute(wanted.order_by(col(ApiKey.id)).with_for_update())
    return {row.id: row for row in rows}


def is_any_valid() -> bool:
    """Return whether the installation has a valid key."""
    with Session(engine()) as session:
        return session.exec(select(ApiKey.id).where(col(ApiKey.revoked_at).is_(None)).limit(1)).first() is not None


def list_keys(tenant: str | None = None) -> Sequence[ApiKey]:
    """Return the keys of a tenant, or of all tenants, oldest first, including revoked ones."""
    wanted = select(ApiKey).order_by(col(ApiKey.id))
    if tenant is not None:
        wanted = wanted.where(col(ApiKey.tenant) == tenant)
    with Session(engine(), expire_on_commit=False) as session:
        return session.exec(wanted).all()


def revoke(key: UUID) -> bool:
    """Revoke a key permanently. Return False if it does not exist or was revoked before."""
    with engine().begin() as connection:
        return revoke_in(connection, key)


def revoke_in(connection: Connection, key: UUID) -> bool:
    """Revoke a key as `revoke` does, in the caller's transaction."""
    change = update(ApiKey).where(col(ApiKey.id) == key, col(ApiKey.revoked_at).is_(None)).values(revoked_at=func.now())
    return bool(connection.execute(change.returning(col(ApiKey.id))).all())


def find(secret: str) -> ApiKey | None:
    """Return the valid key with this secret; None if it is unknown or revoked."""
    wanted = select(ApiKey).where(col(ApiKey.hash) == digest(secret), col(ApiKey.revoked_at).is_(None))
    with Session(engine(), expire_on_commit=False) as session:
        return session.exec(wanted).first()
