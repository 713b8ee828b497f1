"""Writes `docs/reasons.md`: every reason of the law with what it tells a reader. A reason without a sentence fails."""

from __future__ import annotations

from models.lifecycle import Reason

HEAD = """# Reasons

Why a run's status changed: `reason` of a run, of its events and of webhooks. The list is closed; it is generated from
`models/lifecycle.py`.

| reason | means |
|---|---|
"""

MEANINGS = {
    Reason.BY_USER: "A person or a system with a key asked for it.",
    Reason.BY_PARENT: "The run that started this one was canceled.",
    Reason.SKIPPED: "No place of its concurrency key was free, and it asked to be skipped then (`onConflict`).",
    Reason.SUPERSEDED: "A later run with the same concurrency key took its place (`onConflict: cancel_running`).",
    Reason.APPROVAL_NEEDED: "The agent waits until somebody approves or denies.",
    Reason.ANSWER_NEEDED: "The agent waits for an answer to its question.",
    Reason.APPROVED: "Somebody approved.",
    Reason.ANSWERED: "Somebody answered.",
    Reason.DENIED: "Somebody denied.",
    Reason.AUTHORIZATION_NEEDED: "The agent waits until a person authorizes a provider.",
    Reason.AUTHORIZED: "The authorization was given.",
    Reason.AUTHORIZATION_FAILED: "The authorization was refused or failed.",
    Reason.WAITING: "The agent waits for a signal, a timer or a child.",
    Reason.WAIT_OVER: "What the agent waited for has come.",
    Reason.WINDOW_CLOSED: "The window in which the run may work has closed.",
    Reason.WINDOW_OPENED: "The window in which the run may work is open again.",
    Reason.CODE_MISMATCH: "The agent's code no longer does the steps that are recorded; resume after the fix.",
    Reason.EXPIRED: "The run had not started when it expired.",
    Reason.TIMEOUT: "The run, a step or a wait took longer than allowed.",
    Reason.STEP_ERROR: "A step failed for the last time.",
    Reason.CHILD_FAILED: "A run that it started came to no result, and the agent did not catch that.",
    Reason.AGENT_ERROR: "The agent raised an error outside a step.",
    Reason.INVALID_INPUT: "The agent could not read its input.",
    Reason.INVALID_OUTPUT: "A step or the agent returned something else than it is annotated with, or what cannot be recorded.",
    Reason.OUTPUT_TOO_LARGE: "A value or the result was larger than allowed.",
    Reason.HISTORY_LIMIT: "The run recorded more steps, or more in them, than allowed.",
    Reason.ONCE_UNKNOWN: "A step that must happen at most once was interrupted; nobody knows whether it happened.",
    Reason.CRASHED: "The agent's process died several times.",
    Reason.HOST_LOST: "The agent's process died; the run goes on in another.",
    Reason.WORKER_LOST: "The worker died; the run goes on elsewhere, or fails after too many.",
    Reason.DRAINED: "The worker was shut down in order; the run goes on elsewhere.",
}


def text() -> str:
    """Return the whole document."""
    return HEAD + "".join(f"| `{reason}` | {MEANINGS[reason]} |\n" for reason in Reason)
