"""Writes `docs/reasons.md`: every reason of `models.lifecycle` with a sentence for readers; a missing one fails."""

from __future__ import annotations

from models.lifecycle import Reason

HEAD = """# Reasons

Why a run's status changed: the `reason` of a run, of its events and of webhooks. The list is complete, and generated from
`models/lifecycle.py`.

| reason | meaning |
|---|---|
"""

MEANINGS = {
    Reason.BY_USER: "A person or a system with a key requested it.",
    Reason.BY_PARENT: "The run that started this one was canceled.",
    Reason.SKIPPED: "No place of its concurrency key was free, and its `onConflict` is `skip`.",
    Reason.SUPERSEDED: "A later run with the same concurrency key replaced it (`onConflict: cancel_running`).",
    Reason.APPROVAL_NEEDED: "The agent waits for an approval or a denial.",
    Reason.ANSWER_NEEDED: "The agent waits for an answer to its question.",
    Reason.APPROVED: "A person or a system with a key approved.",
    Reason.ANSWERED: "A person or a system with a key answered.",
    Reason.DENIED: "A person or a system with a key denied.",
    Reason.AUTHORIZATION_NEEDED: "The agent waits until a person authorizes a provider.",
    Reason.AUTHORIZED: "The authorization was given.",
    Reason.AUTHORIZATION_FAILED: "The authorization was refused or failed.",
    Reason.WAITING: "The agent waits for a signal, a timer or a child.",
    Reason.WAIT_OVER: "A wait of the agent ended.",
    Reason.WINDOW_CLOSED: "The window that gates the run closed.",
    Reason.WINDOW_OPENED: "The window that gates the run is open again.",
    Reason.CODE_MISMATCH: "The agent's code no longer matches the recorded steps; fix it, then resume the run.",
    Reason.EXPIRED: "The run expired before it started.",
    Reason.TIMEOUT: "The run, a step or a wait exceeded its time limit.",
    Reason.STEP_ERROR: "A step failed in its last attempt.",
    Reason.CHILD_FAILED: "A child run did not succeed, and the agent did not catch the error.",
    Reason.AGENT_ERROR: "The agent raised an error outside a step.",
    Reason.INVALID_INPUT: "The agent could not read its input.",
    Reason.INVALID_OUTPUT: "A step or the agent returned a value that does not fit its annotation or cannot be recorded.",
    Reason.OUTPUT_TOO_LARGE: "A value or the result exceeded its size limit.",
    Reason.HISTORY_LIMIT: "The run exceeded the limit of recorded steps or of their total size.",
    Reason.ONCE_UNKNOWN: "A step that may execute at most once was interrupted; its effect is unknown.",
    Reason.CRASHED: "The agent's process died several times.",
    Reason.HOST_LOST: "The agent's process died; the run continues in another one.",
    Reason.WORKER_LOST: "The worker died; the run continues elsewhere, or fails after too many losses.",
    Reason.DRAINED: "The worker was shut down gracefully; the run continues elsewhere.",
}


def text() -> str:
    """Return the document."""
    return HEAD + "".join(f"| `{reason}` | {MEANINGS[reason]} |\n" for reason in Reason)
