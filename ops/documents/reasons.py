"""Writer of `docs/reasons.md`: every reason with its meaning. A reason without a sentence fails."""

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
    Reason.SKIPPED: "No place of its concurrency key was free (`onConflict: skip`).",
    Reason.SUPERSEDED: "A later run with the same concurrency key took its place (`onConflict: cancel_running`).",
    Reason.APPROVAL_NEEDED: "The agent waits until a person approves or denies.",
    Reason.ANSWER_NEEDED: "The agent waits for an answer to its question.",
    Reason.APPROVED: "A person approved.",
    Reason.ANSWERED: "A person answered.",
    Reason.DENIED: "A person denied.",
    Reason.AUTHORIZATION_NEEDED: "The agent waits until a person authorizes a provider.",
    Reason.AUTHORIZED: "The authorization was given.",
    Reason.AUTHORIZATION_FAILED: "The authorization was refused or failed.",
    Reason.WAITING: "The agent waits for a signal, a timer or a child.",
    Reason.WAIT_OVER: "The wait was resolved.",
    Reason.WINDOW_CLOSED: "The window of the run has closed.",
    Reason.WINDOW_OPENED: "The window of the run is open again.",
    Reason.CODE_MISMATCH: "The agent's code no longer does the steps that are recorded; resume after the fix.",
    Reason.EXPIRED: "The run had not started when it expired.",
    Reason.TIMEOUT: "The run, a step or a wait took longer than allowed.",
    Reason.STEP_ERROR: "A step failed for the last time.",
    Reason.CHILD_FAILED: "A run that it started failed or was canceled, and the agent did not catch that.",
    Reason.AGENT_ERROR: "The agent raised an error outside a step.",
    Reason.INVALID_INPUT: "The agent could not read its input.",
    Reason.INVALID_OUTPUT: "A step or the agent returned a value that does not fit its annotation, or cannot be recorded.",
    Reason.OUTPUT_TOO_LARGE: "A value or the result was larger than allowed.",
    Reason.HISTORY_LIMIT: "The run recorded more steps, or more in them, than allowed.",
    Reason.ONCE_UNKNOWN: "A step that must happen at most once was interrupted; its outcome is unknown.",
    Reason.CRASHED: "The agent's process died several times.",
    Reason.HOST_LOST: "The agent's process died; the run continues in another.",
    Reason.WORKER_LOST: "The worker died; the run continues elsewhere, or fails after too many such deaths.",
    Reason.DRAINED: "The worker was shut down in order; the run continues elsewhere.",
}


def text() -> str:
    """Return the whole document."""
    return HEAD + "".join(f"| `{reason}` | {MEANINGS[reason]} |\n" for reason in Reason)
