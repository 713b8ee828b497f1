"""The public object of an event: the one that streams, the bus, `events[]` and webhooks all carry."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from models.stored_event import StoredEvent


def timestamp(at: datetime | None) -> str | None:
    """Return a moment as RFC 3339 in UTC with milliseconds."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def public(stored: StoredEvent) -> dict[str, Any]:
    """Return the public object of an event: `seq, event, runId, runStatus, timestamp` and the event's own data."""
    data = stored.data
    message = {
        "seq": stored.seq,
        "event": stored.type,
        "runId": str(stored.run_id),
        "runStatus": stored.status,
        "timestamp": timestamp(stored.at),
    }
    if stored.type == "status":
        message |= {"from": stored.status_was, "to": stored.status, "verb": stored.verb}
    if stored.type == "end":
        message["status"] = stored.status
    if stored.reason:
        message["reason"] = stored.reason
    # An agent's data may use our names; a stream resumes by `seq`, so ours win.
    return message | (json.loads(data) if isinstance(data, str) else data or {}) | message


def live(run_id: str, status: str, kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object of a live-only message: it has no `seq`, is stored nowhere and may be lost."""
    message = {"event": kind, "runId": run_id, "runStatus": status, "timestamp": timestamp(datetime.now(UTC))}
    return message | {name: value for name, value in data.items() if name != "seq"} | message
