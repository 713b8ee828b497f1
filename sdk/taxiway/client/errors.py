"""Errors between a caller and a Taxiway server: one class for each decision of the caller.

TaxiwayError                 (the root of the whole package, see taxiway.errors)
├── NotConfigured            no usable server address or key: fix the settings
├── NotSendable              a value cannot be sent: correct it; also a ValueError
├── NotReachable             no answer arrived: start the server, or wait for it
├── ServerFault              an answer arrived that does not follow Taxiway's API: report it
├── Refused                  the server refused the request; carries its problem document
│   ├── Unauthenticated      401: use another key
│   ├── Forbidden            403: ask for a scope
│   ├── NotFound             404: no such thing exists for this key
│   ├── Conflict             409, 410: another request came first
│   │   └── RunFinished      the run had already ended; `run` is the ended run
│   ├── Invalid              400, 413, 415, 422: correct the request; `errors` names each field
│   ├── RateLimited          429: slow down; `retry_after` is in seconds
│   └── Unavailable          502, 503, 504: the same request may succeed later
├── NoOneQuestion            the run to decide about asks no question, or more than one: name a wait
├── RunFailed                result() of a run that ended FAILED
├── RunCanceled              result() of a run that ended CANCELED
└── NotFinished              result(timeout=…) stopped waiting; also a TimeoutError. The run continues
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from taxiway.errors import TaxiwayError

if TYPE_CHECKING:
    from taxiway.client.views import RunView


class NotConfigured(TaxiwayError):
    """No usable server address or key was given."""


class NotSendable(TaxiwayError, ValueError):
    """A value cannot be sent; no request was sent."""


class NotReachable(TaxiwayError):
    """No answer arrived from the server."""


class ServerFault(TaxiwayError):
    """An answer arrived that does not follow Taxiway's API."""


@dataclass(frozen=True)
class FieldError:
    """One field that the server refused, with the reason."""

    field: str
    detail: str


@dataclass(frozen=True)
class Problem:
    """An RFC 9457 problem document. `code` is stable; `raw` keeps every member."""

    status: int
    code: str
    title: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)


class Refused(TaxiwayError):
    """The server understood the request and refused it."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        self.problem = problem
        self.status = problem.status
        self.code = problem.code
        self.title = problem.title
        self.detail = problem.detail
        self.errors = problem.errors
        self.retry_after = retry_after
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        said = self.detail or self.title or self.code
        named = "; ".join(f"{error.field}: {error.detail}" for error in self.errors if error.detail not in said)
        return f"{said} ({named})" if named else said


class Unauthenticated(Refused):
    """401: the server does not know this key."""


class Forbidden(Refused):
    """403: this key lacks a scope."""


class NotFound(Refused):
    """404: it does not exist, or belongs to another tenant."""


class Conflict(Refused):
    """409 or 410: another request came first."""


class RunFinished(Conflict):
    """The run had already ended, so it can no longer be changed. `run` is the ended run if the server sent it."""

    run: RunView | None = None


class Invalid(Refused):
    """400, 413, 415 or 422: the request must be corrected; `errors` names each field."""


class RateLimited(Refused):
    """429: too many requests; `retry_after` is in seconds, None if the server did not send it."""


class Unavailable(Refused):
    """502, 503 or 504: the same request may succeed later."""


class NoOneQuestion(TaxiwayError):
    """The run to decide about asks no question at the moment, or more than one."""


class RunFailed(TaxiwayError):
    """The run ended FAILED. `code` and `message` are the reason, `step` is where it failed (None: outside any step)."""

    def __init__(self, run: RunView) -> None:
        self.run = run
        self.code = run.error.code if run.error else "failed"
        self.message = run.error.message if run.error else "no reason was given"
        self.step = run.error.step if run.error else None
        where = f" in step {self.step}" if self.step else ""
        super().__init__(f"Run {run.id} failed{where}: {self.message} ({self.code})")


class RunCanceled(TaxiwayError):
    """The run ended CANCELED. `code` is the recorded reason, `step` the step in flight, if any."""

    def __init__(self, run: RunView) -> None:
        self.run = run
        self.code = run.reason or "canceled"
        self.message = run.error.message if run.error and run.error.message else self.code
        self.step = run.error.step if run.error else None
        super().__init__(f"Run {run.id} was canceled: {self.message}")


class NotFinished(TaxiwayError, TimeoutError):
    """result(timeout=…) stopped waiting. `run` is the run when last read; it continues."""

    def __init__(self, run: RunView, timeout: float) -> None:
        self.run = run
        super().__init__(f"Run {run.id} was still {run.status} after {timeout:g} seconds; it continues")
