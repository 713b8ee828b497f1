"""Idempotency keys: a repeated request is answered with the runs that the first one created."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Header
from sqlalchemy import func
from sqlmodel import Session, col, select

from api.http.auth import Caller
from api.http.problems import Problem
from api.http.responses import Answer
from api.http.transactions import reading
from models.runs.enqueue import NewRun
from models.tables.idempotency import KEPT, Idempotency
from models.tables.run import Run

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1 to 255 visible ASCII characters. An equal request is answered with the same runs.",
        json_schema_extra={"pattern": "^[!-~]{1,255}$"},
    ),
]


@dataclass(frozen=True, slots=True)
class Request:
    """What makes two requests equal: the key that the client chose, and the digest of the body."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The runs of a request: those that it created, as stored at `at`, or those that an earlier, equal one created."""

    ids: list[UUID]
    made: Sequence[NewRun] = ()
    at: datetime | None = None

    @property
    def replayed(self) -> bool:
        """Whether an earlier, equal request created the runs."""
        return not self.made

    def answer(self, content: Any) -> Answer:
        """Return 201 for new runs, 200 with `Idempotency-Replayed: true` for those of an earlier request."""
        return Answer(content, 200, {"idempotency-replayed": "true"}) if self.replayed else Answer(content, 201)


def keyed_request(key: str | None, call: str, body: Any) -> Request | None:
    """Return the request that an idempotency key identifies, None without a key. Raises Problem for an invalid key.

    The digest ignores white space and the order of members.
    """
    if key is None:
        return None
    if not 1 <= len(key) <= 255 or not all("!" <= character <= "~" for character in key):
        raise Problem("invalid_request", "The header Idempotency-Key takes 1 to 255 visible ASCII characters.")
    canonical = json.dumps([call, body], sort_keys=True, separators=(",", ":"))
    return Request(key, hashlib.sha256(canonical.encode()).hexdigest())


def find_earlier(caller: Caller, request: Request | None) -> Accepted | None:
    """Return the runs that an earlier, equal request created, None if there was none.

    Raises Problem `idempotency_mismatch` if the key was used with another body, `run_not_found` if a run of it was deleted.
    """
    if request is None:
        return None
    with reading() as session:
        kept = _kept(session, caller.tenant, request.key)
        left = set(session.exec(select(Run.id).where(col(Run.id).in_(kept.run_ids)))) if kept else set()
    if kept is None:
        return None
    if kept.body_digest != request.digest:
        raise Problem(
            "idempotency_mismatch", "This idempotency key was used for a request with another body. Use a new key."
        )
    if gone := [str(run) for run in kept.run_ids if run not in left]:
        # The key promises that this happens once: making the run again would do its work twice.
        detail = (
            f"An equal request made run {gone[0]}, which ended long ago and was deleted. Use a new key to run it again."
        )
        raise Problem("run_not_found", detail, more={"deleted": gone})
    return Accepted(list(kept.run_ids))


def _kept(session: Session, tenant: str, key: str) -> Idempotency | None:
    young = col(Idempotency.created_at) > func.now() - KEPT
    wanted = select(Idempotency).where(Idempotency.tenant == tenant, Idempotency.key == key, young)
    return session.exec(wanted).first()
