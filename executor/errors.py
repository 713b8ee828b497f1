"""The errors of the executor, one class per decision that a caller takes.

ExecutorError
├── Refused         an item cannot be recorded: tell the host which and why
├── StepFinished    a step that is recorded again has its outcome already: tell the host
├── HostGone        the agent host died, hung or spoke nonsense: its activation ends here
└── CannotServe     no host can be started: the worker says why and stops
"""


class ExecutorError(Exception):
    """Base of every error that this package raises on purpose."""


class Refused(ExecutorError):
    """The item cannot be recorded; `code` is one of the run's error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class StepFinished(ExecutorError):
    """The step has an outcome already; nothing of its transaction was committed."""


class HostGone(ExecutorError):
    """The agent host is of no more use."""


class CannotServe(ExecutorError):
    """The agents cannot be loaded or no host starts; the sentence names the fix."""
