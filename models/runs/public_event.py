"""Turns an event row into the one object that streams, the bus, `events[]` and webhooks all carry."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def timestamp(at: datetime | None) -> str | None:
    """Write a moment as RFC 3339 in UTC with milliseconds."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def public(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give the public object of an event row: `seq, event, runId, runStatus, timestamp` and the event's own data."""
    data = row["data"]
    message = {
        "seq": row["seq"],
        "event": row["type"],
        "runId": str(row["run_id"]),
        "runStatus": row["status"],
        "timestamp": timestamp(row["at"]),
    }
    if row["type"] == "status":
        message |= {"from": row["status_was"], "to": row["status"], "verb": row["verb"]}
    if row["type"] == "end":
        message["status"] = row["status"]
    if row["reason"]:
        message["reason"] = row["reason"]
    # An agent's data may use our names; a stream resumes by `seq`, so ours win.
    return message | (json.loads(data) if isinstance(data, str) else data or {}) | message


def live(run_id: str, status: str, kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Give the object of a live-only message: it has no `seq`, is stored nowhere and may be lost."""
    message = {"event": kind, "runId": run_id, "runStatus": status, "timestamp": timestamp(datetime.now(UTC))}
    return message | {name: value for name, value in data.items() if name != "seq"} | message
