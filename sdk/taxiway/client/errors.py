"""What can go wrong between a caller and a Taxiway server: one class per decision that the caller takes.

TaxiwayError                 (the root of the whole package, see taxiway.errors)
├── NotConfigured            no usable server address or key was given: fix the settings
├── NotSendable              what was given cannot be sent: correct it; also a ValueError
├── NotReachable             no answer arrived: start the server, or wait for it
├── ServerFault              an answer arrived that no Taxiway server should give: report it
├── Refused                  the server understood and said no; carries its problem document
│   ├── Unauthenticated      401: use another key
│   ├── Forbidden            403: ask for a scope
│   ├── NotFound             404: there is no such thing for this key
│   ├── Conflict             409, 410: somebody else decided first
│   │   └── RunFinished      the run had already ended; `run` is what it ended as
│   ├── Invalid              400, 413, 415, 422: correct the request; `errors` names each field
│   ├── RateLimited          429: slow down; `retry_after` says for how long
│   └── Unavailable          502, 503, 504: the same request may succeed later
├── NoOneQuestion            a run was to be decided about that asks nothing, or more than one question: name a wait
├── RunFailed                result() of a run that ended FAILED
├── RunCanceled              result() of a run that ended CANCELED
└── NotFinished              result(timeout=…) gave up waiting; also a TimeoutError. The run goes on
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
    """What was given cannot be sent; nothing was."""


class NotReachable(TaxiwayError):
    """No answer arrived from the server."""


class ServerFault(TaxiwayError):
    """An answer arrived that does not follow Taxiway's API."""


@dataclass(frozen=True)
class FieldError:
    """One field that the server refused, and why."""

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
    """The server understood the request and said no."""

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
    """404: there is no such thing, or it belongs to another tenant."""


class Conflict(Refused):
    """409 or 410: somebody else decided first."""


class RunFinished(Conflict):
    """The run had already ended, so it can no longer be changed. `run` is what it ended as, where the server said."""

    run: RunView | None = None


class Invalid(Refused):
    """400, 413, 415 or 422: the request must be corrected; `errors` names each field."""


class RateLimited(Refused):
    """429: too many requests; `retry_after` is in seconds, where the server said."""


class Unavailable(Refused):
    """502, 503 or 504: the same request may succeed later."""


class NoOneQuestion(TaxiwayError):
    """A run was to be decided about that asks nobody at the moment, or more than one question."""


class RunFailed(TaxiwayError):
    """The run ended FAILED. `code` and `message` say why, `step` says where (None: outside any step)."""

    def __init__(self, run: RunView) -> None:
        self.run = run
        self.code = run.error.code if run.error else "failed"
        self.message = run.error.message if run.error else "no reason was given"
        self.step = run.error.step if run.error else None
        where = f" in step {self.step}" if self.step else ""
        super().__init__(f"Run {run.id} failed{where}: {self.message} ({self.code})")


class RunCanceled(TaxiwayError):
    """The run ended CANCELED. `code` is the recorded reason; `step` was in flight, where one was."""

    def __init__(self, run: RunView) -> None:
        self.run = run
        self.code = run.reason or "canceled"
        self.message = run.error.message if run.error and run.error.message else self.code
        self.step = run.error.step if run.error else None
        super().__init__(f"Run {run.id} was canceled: {self.message}")


class NotFinished(TaxiwayError, TimeoutError):
    """result(timeout=…) gave up waiting. `run` is the last that was seen of it; the run goes on."""

    def __init__(self, run: RunView, timeout: float) -> None:
        self.run = run
        super().__init__(f"Run {run.id} was still {run.status} after {timeout:g} seconds; it goes on")
