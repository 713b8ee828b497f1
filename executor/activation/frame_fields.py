"""Fields of a host's frames. Nothing that a host sends is trusted: a malformed field raises ValueError or KeyError."""

import json
import math
import re
from typing import Any

from taxiway.frames import Frame, is_storable

from executor.activation.json_limits import checked, storable
from models.authorization.grants import Holder
from models.moves import NewWait
from models.runs.recording import StepRecord
from models.waiting.questions import authorization, question

MAX_WORD = 500
MAX_MESSAGE = 4 << 10
MAX_REQUEST = 60 << 10  # it is part of an event, which may have 64 KiB
LONGEST_MS = 100 * 366 * 24 * 3600 * 1000
MAX_SCOPES = 100
MAX_KEYS = 10_000
MAX_HELD = 20
WAITS = frozenset({"approval", "authorization", "child", "signal", "timer", "user"})
_PROVIDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def bounded_text(frame: Frame, name: str) -> str:
    value = frame[name]
    if not isinstance(value, str) or len(value) > MAX_WORD:
        raise ValueError(name)
    return value


def optional_text(frame: Frame, name: str) -> str | None:
    return None if frame.get(name) is None else bounded_text(frame, name)


def step_record(frame: Frame, status: str, *, value: str | None = None, error: str | None = None) -> StepRecord:
    duration = frame.get("durationMs")
    return StepRecord(
        bounded_text(frame, "key"),
        bounded_text(frame, "name"),
        bounded_text(frame, "digest"),
        int(frame["occurrence"]),
        status,
        int(frame["attempts"]),
        None if duration is None else int(duration),
        value,
        error,
        optional_text(frame, "approval"),
        optional_moment(frame),
    )


def moment(frame: Frame) -> float:
    """Read a time of the run's clock, in milliseconds."""
    at = frame["at"]
    if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at) or not 0 <= at <= LONGEST_MS:
        raise ValueError("at")
    return float(at)


def optional_moment(frame: Frame) -> float | None:
    """Read a time of the run's clock, which only async agents have."""
    return None if frame.get("at") is None else moment(frame)


def keys(frame: Frame, name: str) -> list[str]:
    """Read the keys of waits."""
    found = frame[name]
    if not isinstance(found, list) or len(found) > MAX_KEYS or not is_storable(found):
        raise ValueError(name)
    return [bounded_text({name: key}, name) for key in found]


def held_by(frame: Frame) -> list[dict[str, Any]]:
    """Read the causes that keep a slot: the known members of each, each bounded."""
    found = frame["by"]
    if not isinstance(found, list) or len(found) > MAX_HELD or not is_storable(found):
        raise ValueError("by")
    causes = []
    for cause in found:
        line = cause.get("line")
        cut = {name: optional_text(cause, name) for name in ("kind", "what", "file")}
        causes.append({**cut, "line": None if line is None else int(line)})
    return causes


def holder(item: Any, tenant: str) -> Holder:
    """Read the subject and provider of a grant; the tenant is always the run's own."""
    provider, subject = bounded_text(item, "provider"), bounded_text(item, "subject")
    if not _PROVIDER.fullmatch(provider) or not subject:
        raise ValueError("provider")
    return Holder(tenant, subject, provider)


def scopes(item: Any) -> tuple[str, ...]:
    """Read the scopes of an authorization."""
    found = item.get("scopes") or []
    if not isinstance(found, list) or len(found) > MAX_SCOPES:
        raise ValueError("scopes")
    return tuple(bounded_text({"scope": scope}, "scope") for scope in found)


def new_wait(item: Any, tenant: str) -> NewWait:
    """Read one wait of a `park` frame."""
    key, kind, due, on_due = (
        bounded_text(item, "key"),
        bounded_text(item, "kind"),
        item.get("dueMs"),
        optional_text(item, "onDue"),
    )
    if kind not in WAITS or not is_storable([key, on_due]) or (due is not None and not 0 <= int(due) <= LONGEST_MS):
        raise ValueError("waits")
    request = object_of(checked(item["request"], MAX_REQUEST, "what a wait asks"))
    due_ms = None if due is None else int(due)
    if kind == "approval":
        return question(key, request, due_ms, on_due)
    if kind == "authorization":
        if not str(request.get("url") or "https://").startswith(("https://", "http://")):
            raise ValueError("url")
        asked = {**request, "scopes": list(scopes(request))}
        return authorization(key, asked, due_ms, on_due, holder(request, tenant))
    return NewWait(key, kind, request, due_ms, on_due)


def input_text(text: Any, limit: int, what: str) -> str:
    """Return the input of a run; raise Refused, or ValueError if it is no object."""
    if not checked(text, limit, what).lstrip().startswith("{"):  # it is valid JSON, so this proves that it is an object
        raise ValueError(what)
    return str(text)


def error_object(error: Any) -> dict[str, Any]:
    """Return the known members of an error that a host sent, each bounded."""
    kept: dict[str, Any] = {
        name: storable(str(error[name])[:MAX_MESSAGE])
        for name in ("code", "type", "message", "step", "traceback")
        if error.get(name) is not None
    }
    if error.get("attempts") is not None:
        kept["attempts"] = int(error["attempts"])
    return {"code": "agent_error", **kept}


def object_of(data: str) -> dict[str, Any]:
    decoded = json.loads(data)
    return decoded if isinstance(decoded, dict) else {"value": decoded}


def object_text(data: str) -> str:
    return json.dumps(object_of(data))
