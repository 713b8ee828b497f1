"""Refusals of the API: a problem document (RFC 9457) for each decision that a client takes, with a stable `code`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# The codes of this version, each with its status and title. Codes are part of the API: never rename one.
CODES: dict[str, tuple[int, str]] = {
    "invalid_json": (400, "The body is not a JSON object"),
    "invalid_request": (400, "A part of the request is missing, of the wrong type or out of range"),
    "invalid_cursor": (400, "The cursor was not issued by this call"),
    "unauthenticated": (401, "An API key is needed"),
    "forbidden": (403, "The API key lacks the scope"),
    "not_found": (404, "This does not exist"),
    "run_not_found": (404, "There is no such run"),
    "token_unknown": (404, "This link is not known"),
    "method_not_allowed": (405, "This address does not take the method"),
    "run_finished": (409, "The run has finished"),
    "illegal_move": (409, "The run's status does not allow this"),
    "idempotency_mismatch": (409, "The idempotency key was used for another request"),
    "conflict": (409, "This conflicts with something else"),
    "wait_closed": (409, "This no longer waits for a decision"),
    "token_used": (410, "This link was used, or is no longer needed"),
    "token_expired": (410, "This link has expired"),
    "payload_too_large": (413, "The request is too large"),
    "unsupported_media_type": (415, "The body must be JSON"),
    "unknown_field": (422, "The request has an unknown field"),
    "unknown_agent": (422, "No worker has ever served this agent"),
    "unknown_queue": (422, "There is no such queue"),
    "unknown_window": (422, "There is no such window"),
    "unknown_provider": (422, "There is no such provider"),
    "invalid_input": (422, "The input does not fit the agent"),
    "invalid_answer": (422, "The answer does not fit the question"),
    "rate_limited": (429, "Too many of these calls run at the same time"),
    "internal": (500, "The server failed"),
    "provider_failed": (502, "The provider did not authorize"),
    "unavailable": (503, "The server cannot do this now"),
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field."""

    field: str
    detail: str


@dataclass(eq=False)  # not frozen: Python sets the traceback of an exception
class Problem(Exception):
    """A refusal: raised anywhere in a call, answered as a problem document."""

    code: str
    detail: str
    errors: Sequence[FieldError] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status that belongs to the code."""
        return CODES[self.code][0]

    def document(self) -> dict[str, Any]:
        """Return the members of the problem document."""
        status, title = CODES[self.code]
        document: dict[str, Any] = {
            "type": f"urn:taxiway:problem:{self.code}",
            "title": title,
            "status": status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            document["errors"] = [{"field": error.field, "detail": error.detail} for error in self.errors]
        return document | dict(self.more)


def invalid(field_name: str, detail: str) -> Problem:
    """Return the Problem for a part of the request that is missing, of the wrong type or out of range."""
    return Problem("invalid_request", f"{field_name} {detail}.", [FieldError(field_name, detail)])


def run_finished(run: Mapping[str, Any]) -> Problem:
    """Return the Problem for a change of a run that has ended; it shows the run."""
    return Problem("run_finished", f"The run has ended as {run['status']} and cannot change.", more={"run": run})


def run_not_found() -> Problem:
    """Return the Problem for a run that the caller's tenant does not have: the same words if another tenant has it."""
    return Problem("run_not_found", "There is no run with this id. Check the id and your API key.")
