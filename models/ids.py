"""Makes the identifiers of rows: UUIDv7, so that an id's order is its age."""

from datetime import datetime
from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

RunId = NewType("RunId", UUID)
WorkerId = NewType("WorkerId", UUID)


def new_id() -> UUID:
    """Make a time-ordered UUIDv7 (RFC 9562), in the standard library's type."""
    return uuid7()


def earliest(moment: datetime) -> UUID:
    """Return an id that is not above any id made at this moment or later, by the same clock."""
    return UUID(int=max(0, round(moment.timestamp() * 1000)) << 80)


def liveness_key(worker: UUID) -> int:
    """Name the advisory lock that a worker holds while its process lives: 63 bits of the id's random part."""
    return worker.int & ((1 << 63) - 1)
