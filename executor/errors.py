"""Errors of the executor, one class per decision of the caller.

ExecutorError
├── Refused         an item cannot be recorded: the host receives its number and the reason
├── StepFinished    a step that is recorded again has its outcome already: the host is informed
├── HostGone        the agent host died, hung or sent malformed frames: its activation ends here
└── CannotServe     no host can be started: the worker prints the reason and stops
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
    """The agent host can no longer be used."""


class CannotServe(ExecutorError):
    """The agents cannot be loaded or no host starts; the sentence names the fix."""
