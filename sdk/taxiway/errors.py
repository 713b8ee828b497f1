"""Errors that Taxiway raises into agents and steps, and those that steps raise themselves.

    Exception
    └─ TaxiwayError
       ├─ StepFailed        a step ended without a value; catch it to try something else
       ├─ WaitTimeout       a wait of the run was not resolved in time
       ├─ ApprovalDenied    a person denied an approval; catch it to try something else
       ├─ ChildFailed       a child of the run ended without a result; catch it to try something else
       ├─ AuthorizationDenied       a requested authorization was denied or failed
       ├─ AuthorizationLost         raised by a step: the grant is no longer valid; the run asks again and repeats the step
       ├─ AuthorizationUnavailable  the token of a grant is not available at the moment
       ├─ RetryAfter        raised by a step: retry after this delay
       ├─ Fatal             raised by a step: do not retry
       ├─ NotRecorded       the worker refused to record an item
       └─ InvalidValue      a value that JSON cannot hold, or that does not fit its type
    TypeError
    └─ UnknownType          an annotation whose values JSON cannot hold; raised before anything is executed
    BaseException
    ├─ Canceled             the run ends now: clean up, and do not catch it
    ├─ Halt                 the activation can only fail: no further verb is accepted
    ├─ Park                 the run waits: this activation ends, no further verb is accepted
    └─ Restart              a successor takes over: this run ends, no further verb is accepted

The last four are not an `Exception`, so an agent's `except Exception` cannot swallow them. The host remembers them as well.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from taxiway.durations import seconds

AGENT_ERROR: Final = "agent_error"
STEP_ERROR: Final = "step_error"
TIMEOUT: Final = "timeout"
OUTPUT_TOO_LARGE: Final = "output_too_large"
INVALID_OUTPUT: Final = "invalid_output"
INVALID_INPUT: Final = "invalid_input"
CODE_MISMATCH: Final = "code_mismatch"
ONCE_UNKNOWN: Final = "once_unknown"
CANCELED: Final = "canceled"
DENIED: Final = "denied"
AUTHORIZATION_FAILED: Final = "authorization_failed"
CHILD_FAILED: Final = "child_failed"
_BECAME: Final = {"denied": "was denied", "failed": "failed"}


class TaxiwayError(Exception):
    """Base class of the errors that Taxiway raises into agents and steps."""


class StepFailed(TaxiwayError):
    """A step failed after its last attempt; a replay raises the same error.

    `step` is its name and `attempts` the number of attempts. `type` and `message` describe the last error. `code` is
    `step_error`, `timeout`, `invalid_output` or `output_too_large`.
    """

    def __init__(self, step: str, attempts: int, kind: str, message: str, code: str = STEP_ERROR) -> None:
        tries = f" after {attempts} attempts" if attempts > 1 else ""
        super().__init__(f"step {step!r} failed{tries}: {kind}: {message}")
        self.step = step
        self.attempts = attempts
        self.type = kind
        self.message = message
        self.code = code
        # Not __cause__: a replay has none, and an agent that reads it would decide differently there.
        self.report: str | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.step, self.attempts, self.type, self.message, self.code)


class WaitTimeout(TaxiwayError):
    """A wait of the run was not resolved in time, such as a signal or a pause; a replay raises the same error."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name!r} did not come in time")
        self.kind = kind
        self.name = name

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.kind, self.name)


class ApprovalDenied(TaxiwayError):
    """A person denied an approval, or its time ran out (`by` is None then); a replay raises the same error."""

    def __init__(self, prompt: str, by: str | None, comment: str | None) -> None:
        super().__init__(f"{prompt!r} was denied by {by or 'the clock'}" + (f": {comment}" if comment else ""))
        self.prompt = prompt
        self.by = by
        self.comment = comment

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.prompt, self.by, self.comment)


class ChildFailed(TaxiwayError):
    """A child of this run ended as FAILED or CANCELED (`status`); a replay raises the same error.

    `error` is the child's error as the API shows it, None for a canceled child.
    """

    def __init__(self, run_id: str, agent: str, status: str, error: dict[str, Any] | None) -> None:
        why = f": {error.get('message')}" if error else ""
        super().__init__(f"child {run_id} of agent {agent!r} ended as {status}{why}")
        self.run_id = run_id
        self.agent = agent
        self.status = status
        self.error = error

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.run_id, self.agent, self.status, self.error)


class AuthorizationDenied(TaxiwayError):
    """An authorization was `denied` or `failed` (`outcome`); a replay raises the same error."""

    def __init__(self, provider: str, outcome: str, comment: str | None) -> None:
        super().__init__(
            f"the authorization at {provider!r} {_BECAME.get(outcome, outcome)}" + (f": {comment}" if comment else "")
        )
        self.provider = provider
        self.outcome = outcome
        self.comment = comment

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.provider, self.outcome, self.comment)


class AuthorizationLost(TaxiwayError):
    """Raise it in a step whose grant no longer works, or do not catch it from `grant.token()`.

    The run then waits for a new authorization, unless one exists already, and repeats the step. The failed attempt does not
    count.
    """

    def __init__(self, grant: Any) -> None:
        super().__init__(f"the authorization at {getattr(grant, 'provider', grant)!r} was lost")
        self.grant = grant


class AuthorizationUnavailable(TaxiwayError):
    """The token of a grant is not available: the provider does not answer, or the installation is misconfigured."""

    def __init__(self, provider: str, why: str) -> None:
        super().__init__(f"no token of {provider!r} can be had: {why}")
        self.provider = provider
        self.why = why

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.provider, self.why)


class RetryAfter(TaxiwayError):
    """Raise it in a step to delay the next attempt by at least `delay`; it counts as an attempt, like any error."""

    def __init__(self, delay: float | str | timedelta, message: str | None = None) -> None:
        self.delay = seconds(delay)
        super().__init__(message or f"asked to be tried again after {delay}")


class Fatal(TaxiwayError):
    """Raise it in a step to fail it without another attempt, whatever its retry policy allows."""


class NotRecorded(TaxiwayError):
    """The worker refused to record an item; `code` is the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InvalidValue(TaxiwayError):
    """A value that JSON cannot hold, or that does not fit its type: `path` is the place in it, `problem` the reason."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class UnknownType(TypeError):
    """An annotation whose values cannot be written to JSON and read back."""


class Canceled(BaseException):
    """The run was canceled or ran out of time; the activation ends, and the agent cannot prevent that."""


class Halt(BaseException):
    """The activation can only fail. `code` and `message` are the reason, `step` the step that caused it, if any."""

    def __init__(self, code: str, message: str, step: str | None = None, kind: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.step = step
        self.type = kind or code.title().replace("_", "")
        """The name of the error, by default the code in camel case."""


class Park(BaseException):
    """The run waits for `waits` (as in frames). The agent starts over when `all` or `any` (`wake`) are resolved."""

    def __init__(self, waits: tuple[dict[str, object], ...], wake: str = "all") -> None:
        super().__init__("the run waits")
        self.waits = waits
        self.wake = wake


class Restart(BaseException):
    """The run ends, and a successor with this input (JSON text) takes over."""

    def __init__(self, text: str) -> None:
        super().__init__("the run restarts")
        self.text = text
