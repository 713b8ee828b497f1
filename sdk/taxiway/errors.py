"""What a run can go wrong with, as an agent's author sees it and may catch it.

    Exception
    └─ TaxiwayError
       ├─ StepFailed        a step ended without a value; catch it to go another way
       ├─ WaitTimeout       what a run waited for did not come in time
       ├─ ApprovalDenied    somebody denied what the run asked for; catch it to go another way
       ├─ ChildFailed       a run that this one started came to no result; catch it to go another way
       ├─ AuthorizationDenied       nobody authorized what the run asked for
       ├─ AuthorizationLost         raised by a step: what was authorized is gone; the run asks anew and repeats the step
       ├─ AuthorizationUnavailable  the token of a grant cannot be had at the moment
       ├─ RetryAfter        raised by a step: try again, not before …
       ├─ Fatal             raised by a step: do not try again
       ├─ NotRecorded       the worker refused to record an item
       └─ InvalidValue      a value that JSON cannot hold, or that does not fit its type
    TypeError
    └─ UnknownType          an annotation whose values cannot be carried; raised before anything is executed
    BaseException
    ├─ Canceled             the run ends now; clean up and let it pass
    ├─ Halt                 the activation can only fail: no further verb is accepted
    ├─ Park                 the run waits: this activation ends, no further verb is accepted
    └─ Restart              another run takes over: this one ends, no further verb is accepted

The last four are no `Exception`, so that an agent's `except Exception` cannot swallow them; the host remembers them too.
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
    """The root of what Taxiway raises into agents and steps."""


class StepFailed(TaxiwayError):
    """A step ended without a value, its attempts used up; a replay raises the same.

    `step` is its name, `attempts` how often it was tried, `type` and `message` describe the last error, and `code` is
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
        # Not __cause__: a replay has no such thing, and an agent that looked at it would decide differently.
        self.report: str | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.step, self.attempts, self.type, self.message, self.code)


class WaitTimeout(TaxiwayError):
    """Nobody sent the signal, or ended the pause, in time; a replay raises the same."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name!r} did not come in time")
        self.kind = kind
        self.name = name

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.kind, self.name)


class ApprovalDenied(TaxiwayError):
    """Somebody denied what the run asked for (`by` is None when the time for it was over); a replay raises the same."""

    def __init__(self, prompt: str, by: str | None, comment: str | None) -> None:
        super().__init__(f"{prompt!r} was denied by {by or 'the clock'}" + (f": {comment}" if comment else ""))
        self.prompt = prompt
        self.by = by
        self.comment = comment

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.prompt, self.by, self.comment)


class ChildFailed(TaxiwayError):
    """A run that this run started ended as FAILED or CANCELED (`status`); a replay raises the same.

    `error` is the child's error as the API shows it, None when it was canceled.
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
    """Nobody gave the authorization: it was `denied`, or it `failed`; a replay raises the same."""

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
    """Raise it in a step whose grant is of no use any more, or let it out of `grant.token()`.

    The run waits for a new authorization, unless somebody has given one already, and repeats the step; that counts as no
    attempt.
    """

    def __init__(self, grant: Any) -> None:
        super().__init__(f"the authorization at {getattr(grant, 'provider', grant)!r} was lost")
        self.grant = grant


class AuthorizationUnavailable(TaxiwayError):
    """The token of a grant cannot be had at the moment: the provider does not answer, or the installation is set up wrongly."""

    def __init__(self, provider: str, why: str) -> None:
        super().__init__(f"no token of {provider!r} can be had: {why}")
        self.provider = provider
        self.why = why

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.provider, self.why)


class RetryAfter(TaxiwayError):
    """Raise it in a step to have the next attempt wait at least `delay`; it uses up an attempt like any error."""

    def __init__(self, delay: float | str | timedelta, message: str | None = None) -> None:
        self.delay = seconds(delay)
        super().__init__(message or f"asked to be tried again after {delay}")


class Fatal(TaxiwayError):
    """Raise it in a step to fail at once, whatever the retry policy says."""


class NotRecorded(TaxiwayError):
    """The worker refused to record an item; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InvalidValue(TaxiwayError):
    """A value cannot be carried: `path` leads to the offending place, `problem` says what is wrong there."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class UnknownType(TypeError):
    """An annotation whose values JSON cannot carry both ways."""


class Canceled(BaseException):
    """The run was canceled or ran out of time; whatever the agent does now, the activation ends."""


class Halt(BaseException):
    """The activation can only fail from here; the reason is `code` and `message`, and `step` where one is to blame."""

    def __init__(self, code: str, message: str, step: str | None = None, kind: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.step = step
        self.type = kind or code.title().replace("_", "")
        """The name of the error, which is the code's unless there is a better one."""


class Park(BaseException):
    """The run waits. `waits` are what it waits for, as frames carry them; the agent starts over when `all` or `any` are over."""

    def __init__(self, waits: tuple[dict[str, object], ...], wake: str = "all") -> None:
        super().__init__("the run waits")
        self.waits = waits
        self.wake = wake


class Restart(BaseException):
    """The run ends, and another one with this input (JSON text) takes over from it."""

    def __init__(self, text: str) -> None:
        super().__init__("the run begins anew")
        self.text = text
