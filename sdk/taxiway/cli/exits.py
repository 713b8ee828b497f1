"""Exit codes of the process, and the sentence of each error."""

from __future__ import annotations

from enum import IntEnum

from taxiway.client import (
    NotReachable,
    RateLimited,
    Refused,
    ServerFault,
    TaxiwayError,
    Unauthenticated,
    Unavailable,
)


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    RUN_FAILED = 1
    USAGE = 2
    NOT_REACHABLE = 3
    RUN_CANCELED = 4
    INTERRUPTED = 130


def of_status(status: str) -> Exit:
    """Return the exit code of a command that followed its run to this status."""
    return {"SUCCESS": Exit.DONE, "CANCELED": Exit.RUN_CANCELED}.get(status, Exit.RUN_FAILED)


def of_error(error: TaxiwayError) -> Exit:
    """Return the exit code of a failed command: the server is the cause, or the request."""
    if isinstance(error, NotReachable | ServerFault | Unavailable | RateLimited):
        return Exit.NOT_REACHABLE
    return Exit.USAGE


def sentence(error: TaxiwayError) -> str:
    """Return one or a few lines for people: the error, and its remedy if known."""
    if isinstance(error, Unauthenticated):
        return f"{_stop(str(error))} Use a key of this server: set TAXIWAY_API_KEY or pass --api-key."
    if isinstance(error, Refused):
        said = _stop(error.detail or error.title)
        return said + "".join(f"\n  {item.field}: {item.detail}" for item in error.errors if item.detail not in said)
    return str(error)


def document(error: TaxiwayError) -> dict[str, object]:
    """Return the error for machines: the problem document, or one in its shape."""
    if isinstance(error, Refused):
        return {"error": dict(error.problem.raw) or {"code": error.code, "title": error.title, "status": error.status}}
    return {
        "error": {"code": "not_reachable" if of_error(error) is Exit.NOT_REACHABLE else "usage", "detail": str(error)}
    }


def _stop(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
