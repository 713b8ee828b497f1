"""Questions to people: the wait that they answer, its nonce, and the digest of exactly what they are shown."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from models.authorization.grants import Holder
from models.moves import NewWait

START = "start"
"""The key of the wait for the approval to start a run."""
WEEK_MS = 7 * 24 * 3_600_000
_SHOWN = ("prompt", "details", "choices", "approvers", "answer", "step")


def question(key: str, request: Mapping[str, Any], due_ms: int | None, on_due: str | None) -> NewWait:
    """Open a question to people; the token of its link is derived from the nonce, and stored nowhere."""
    shown = {name: request[name] for name in _SHOWN if request.get(name) is not None}
    return NewWait(key, "approval", request, due_ms, on_due, secrets.token_hex(16), digest(shown))


def start_question(agent: str, input_text: str) -> NewWait:
    """Ask whether a run may begin. The input is shown from where it is stored, and is not copied into the wait."""
    request = {"prompt": f"Start {agent}?", "subject": START, "agent": agent, "onDeny": "cancel"}
    shown = {"prompt": request["prompt"], "details": {"agent": agent, "input": json.loads(input_text)}}
    return NewWait(START, "approval", request, WEEK_MS, "denied", secrets.token_hex(16), digest(shown))


def authorization(
    key: str, request: Mapping[str, Any], due_ms: int | None, on_due: str | None, holder: Holder
) -> NewWait:
    """Ask a person to authorize. An authorization by another system ends this wait only, and gives no grant to others."""
    shown = {name: request.get(name) for name in ("provider", "subject", "scopes")}
    grant_key = None if request.get("url") else holder.key
    return NewWait(key, "authorization", request, due_ms, on_due, secrets.token_hex(16), digest(shown), grant_key)


def digest(shown: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what is shown, as canonical JSON: sorted names, no white space."""
    text = json.dumps(shown, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
