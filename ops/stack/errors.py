"""Errors of a stack, by the action of the user.

StackError
├── AlreadyRunning   use that one, or stop it
├── SetupFailed      a setup command failed: read its last lines
├── ChildEnded       a process ended that should run: read its log
├── NotReady         all processes run, but a condition was never met: read the logs
└── Halted           a signal asked to stop: do so
"""

from __future__ import annotations

from pathlib import Path

from ops.child import Child


class StackError(Exception):
    """The stack is not available; the message is for the user."""


class AlreadyRunning(StackError):
    def __init__(self, where: str, pid: int) -> None:
        place = f" at {where}" if where else ""
        super().__init__(f"Taxiway is already running here{place} (process {pid}): use it, or stop that process first.")


class SetupFailed(StackError):
    def __init__(self, what: str, last_lines: str) -> None:
        super().__init__(f"{what} failed:\n{last_lines}")


class ChildEnded(StackError):
    def __init__(self, child: Child) -> None:
        super().__init__(ended(child))


class NotReady(StackError):
    def __init__(self, fact: str, seconds: float, logs: Path) -> None:
        super().__init__(f"Waited {seconds:.0f} s in vain until {fact}. The logs are in {logs}.")


class Halted(StackError):
    def __init__(self) -> None:
        super().__init__("Stopped on request.")


def ended(child: Child) -> str:
    """Return how a child ended, with its last lines and its log file."""
    code = child.exit_code or 0
    how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
    words = "".join(f"\n    {line}" for line in child.last_lines().splitlines())
    return f"{child.name} {how}; the end of {child.command.log} says:{words or ' nothing'}"
