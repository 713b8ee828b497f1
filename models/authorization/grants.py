"""Grants: who holds one that can be used, what a consent or a refresh stores, and what is lost.

A consent and a park for the same grant take the grant's lock, the consent before it looks for waits, the park after it has
opened its own: so either the park sees the grant or the consent sees the wait, and no wake-up is lost. A run's row is locked
before this lock, never after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from models.authorization.givers import IS_OF_NOW, LOCK_OF_NOW, Giver
from models.ids import new_id
from models.statement import Statement

AUTHORIZED = "authorized"
"""The effect of a consent on a run that waits for the same grant."""

_LOCK_CLASS = 7246  # two keys of 32 bits each: apart from the locks of leaders and workers, which have one of 64
_LOCK = f"SELECT pg_advisory_xact_lock({_LOCK_CLASS}, hashtext(%(key)s))"
_LIVE = f"""held.revoked_at IS NULL AND (held.refreshable OR held.expires_at IS NULL OR held.expires_at > now())
    AND {IS_OF_NOW}"""
# Whether a row `held` of grants gives an open row of waits what it asks for.
SATISFIES = f"""held.tenant = wait.tenant AND held.subject = wait.request ->> 'subject'
    AND held.provider = wait.request ->> 'provider' AND {_LIVE}
    AND held.scopes @> ARRAY(SELECT json_array_elements_text(wait.request -> 'scopes'))"""
_WAITING = f"""
    SELECT DISTINCT wait.run_id FROM wait JOIN "grant" AS held ON {SATISFIES}
    WHERE wait.grant_key = %(key)s AND wait.resolved_at IS NULL AND wait.run_id <> %(run)s
    """
_TELL = f"""
    INSERT INTO outbox (id, tenant, target_run_id, effect)
    SELECT id, %(tenant)s, run, '{AUTHORIZED}' FROM unnest(%(ids)s::uuid[], %(runs)s::uuid[]) AS told (id, run)
    """
_STORE = f"""
    WITH giver AS ({LOCK_OF_NOW})
    INSERT INTO "grant" (id, tenant, subject, provider, scopes, sealed, refreshable, expires_at, token_url, client_id,
        revocation_url)
    SELECT %(id)s, %(tenant)s, %(subject)s, name, %(scopes)s, %(sealed)s, %(refreshable)s,
        now() + %(expires_in)s * interval '1 s', %(token_url)s, %(client_id)s, %(revocation_url)s
    FROM giver
    ON CONFLICT (tenant, subject, provider) DO UPDATE SET scopes = excluded.scopes, sealed = excluded.sealed,
        version = "grant".version + 1, refreshable = excluded.refreshable, expires_at = excluded.expires_at,
        refreshed_at = now(), revoked_at = NULL, token_url = excluded.token_url, client_id = excluded.client_id,
        revocation_url = excluded.revocation_url
    RETURNING id, version
    """
# A token is renewed a minute before its end, a short-lived one when a quarter of its time is left.
_HELD = f"""
    SELECT sealed, scopes, version, refreshable, token_url, client_id, revocation_url, {_LIVE} AS live,
        coalesce(expires_at > now(), TRUE) AS valid,
        coalesce(expires_at > now() + least(interval '60 s', (expires_at - refreshed_at) / 4), TRUE) AS fresh
    FROM "grant" AS held WHERE tenant = %(tenant)s AND subject = %(subject)s AND provider = %(provider)s
    """
_HOLD = """
    SELECT id FROM "grant" WHERE tenant = %(tenant)s AND subject = %(subject)s AND provider = %(provider)s FOR UPDATE
    """
_REFRESHED = """
    UPDATE "grant" SET sealed = %(sealed)s, scopes = %(scopes)s, refreshable = %(refreshable)s, version = version + 1,
        expires_at = now() + %(expires_in)s * interval '1 s', refreshed_at = now()
    WHERE tenant = %(tenant)s AND subject = %(subject)s AND provider = %(provider)s RETURNING version
    """
_LOSE = """
    UPDATE "grant" SET revoked_at = now(), sealed = ''
    WHERE tenant = %(tenant)s AND subject = %(subject)s AND provider = %(provider)s AND revoked_at IS NULL
        AND version = coalesce(%(version)s, version)
    RETURNING id
    """
_TAKE = """
    SELECT sealed, subject, provider, revoked_at, token_url, client_id, revocation_url FROM "grant"
    WHERE id = %(id)s AND tenant = %(tenant)s FOR UPDATE
    """


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose grant, and at which provider."""

    tenant: str
    subject: str
    provider: str

    @property
    def key(self) -> str:
        """What waits for this grant carry; a provider's name has no slash, so no two holders share a key."""
        return f"{self.tenant}/{self.provider}/{self.subject}"

    def params(self) -> dict[str, Any]:
        """Return the parameters of statements about it."""
        return {"tenant": self.tenant, "subject": self.subject, "provider": self.provider}


@dataclass(frozen=True, slots=True)
class Given:
    """What a provider gave: sealed tokens, and what they are good for."""

    sealed: str
    scopes: tuple[str, ...]
    refreshable: bool
    expires_in: float | None

    def params(self) -> dict[str, Any]:
        """Return the columns."""
        return {
            "sealed": self.sealed,
            "scopes": list(self.scopes),
            "refreshable": self.refreshable,
            "expires_in": self.expires_in,
        }


@dataclass(frozen=True, slots=True)
class HeldGrant:
    """A stored grant. `live`: it can be used. `valid`: its token has not expired. `fresh`: it need not be renewed yet."""

    sealed: str = field(repr=False)
    scopes: Sequence[str]
    version: int
    refreshable: bool
    token_url: str | None
    client_id: str | None
    revocation_url: str | None
    live: bool
    valid: bool
    fresh: bool

    @property
    def giver(self) -> Giver:
        """What the grant is bound to."""
        return Giver(self.token_url, self.client_id, self.revocation_url)


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """The id of a grant, and how many tokens it has had."""

    id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class TakenGrant:
    """A locked grant that is to be revoked, or was (`revoked_at`)."""

    sealed: str = field(repr=False)
    subject: str
    provider: str
    revoked_at: datetime | None
    token_url: str | None
    client_id: str | None
    revocation_url: str | None

    @property
    def giver(self) -> Giver:
        """What the grant is bound to."""
        return Giver(self.token_url, self.client_id, self.revocation_url)


def lock(key: str) -> Statement[str]:
    """Keep consents and parks for this grant apart until the transaction ends."""
    return Statement(_LOCK, {"key": key}, str)


def held(holder: Holder) -> Statement[HeldGrant]:
    """Read a grant, and whether it is live, its token valid, and fresh enough to be handed out. No row: none was given."""
    return Statement(_HELD, holder.params(), HeldGrant)


def hold(holder: Holder) -> Statement[UUID]:
    """Lock a grant, so that one worker alone renews its token.

    What is true of it is read by the next statement: this one waits, and still sees the provider of before.
    """
    return Statement(_HOLD, holder.params(), UUID)


def store(holder: Holder, given: Given, giver: Giver) -> Statement[StoredGrant]:
    """Store what a consent gave, in the place of what there was. No row: the provider is not the giver any more."""
    return Statement(_STORE, {"id": new_id(), **holder.params(), **given.params(), **giver.params()}, StoredGrant)


def refreshed(holder: Holder, given: Given) -> Statement[int]:
    """Store renewed tokens; the caller holds the row."""
    return Statement(_REFRESHED, {**holder.params(), **given.params()}, int)


def lose(holder: Holder, version: int | None = None) -> Statement[UUID]:
    """Note that a grant is of no use any more; its tokens are forgotten. No row: it has had a successor, or is lost already."""
    return Statement(_LOSE, {**holder.params(), "version": version}, UUID)


def take(grant: UUID, tenant: str) -> Statement[TakenGrant]:
    """Read and lock a tenant's grant by its id, to revoke it."""
    return Statement(_TAKE, {"id": grant, "tenant": tenant}, TakenGrant)


def tell_others(connection: psycopg.Connection[Any], holder: Holder, but: UUID) -> int:
    """Wake every other run whose wait the stored grant satisfies; call it after `lock`. Return their number.

    Each gets a row of the outbox, which the leading scheduler applies: no transaction of ours updates two runs.
    """
    runs = Statement(_WAITING, {"key": holder.key, "run": but}, UUID).all(connection)
    params = {"tenant": holder.tenant, "ids": [new_id() for _ in runs], "runs": runs}
    if runs:
        with connection.cursor() as cursor:
            cursor.execute(_TELL, params)
    return len(runs)
