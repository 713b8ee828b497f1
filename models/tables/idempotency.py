"""Requests and the runs that they made, so that an equal request is answered with the same runs. Kept for 7 days."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.statement import Statement
from models.tables import columns

KEPT = timedelta(days=7)


class Idempotency(SQLModel, table=True):
    __tablename__ = "idempotency"
    __table_args__ = (Index("idempotency_age", "created_at"),)

    tenant: str = Field(sa_column=columns.key())
    key: str = Field(sa_column=columns.key())
    body_digest: str = Field(sa_column=columns.words(null=False))
    run_ids: list[UUID] = Field(default_factory=list, sa_column=columns.uuids())
    created_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))


# A key that is older than 7 days may be used again. Waits for an equal request that has not committed yet.
_CLAIM_KEY = """
    INSERT INTO idempotency AS kept (tenant, key, body_digest, run_ids)
    VALUES (%(tenant)s, %(key)s, %(digest)s, %(runs)s::uuid[])
    ON CONFLICT (tenant, key) DO UPDATE
        SET body_digest = excluded.body_digest, run_ids = excluded.run_ids, created_at = now()
        WHERE kept.created_at < now() - %(kept)s
    RETURNING key
    """


def claim_key(tenant: str, key: str, digest: str, runs: list[UUID]) -> Statement[str]:
    """Take an idempotency key for a request that makes these runs. Returns no row if an earlier request has it."""
    return Statement(_CLAIM_KEY, {"tenant": tenant, "key": key, "digest": digest, "runs": runs, "kept": KEPT}, str)
