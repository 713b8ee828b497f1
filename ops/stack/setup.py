"""Setup commands of a stack; each must succeed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from ops.child import Command
from ops.private_files import append_privately
from ops.stack.errors import SetupFailed

LOOK_EVERY = 0.1
LAST_WORDS = 2000
"""Shown characters of a failed command's output."""


def run_to_end(what: str, command: Command, look: Callable[[], None]) -> str:
    """Return the standard output of `command`; calls `look` while it runs, which may raise; raise `SetupFailed`.

    The output is not logged, because it may be a key.
    """
    with subprocess.Popen(
        command.launch_argv(),
        env=command.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, errors = _communicate(process, look)
        except BaseException:
            process.kill()
            raise
    _keep(command.log, errors)
    if process.returncode != 0:
        raise SetupFailed(what, (out + errors).strip()[-LAST_WORDS:])
    return out


def _communicate(process: subprocess.Popen[str], look: Callable[[], None]) -> tuple[str, str]:
    while True:
        try:
            return process.communicate(timeout=LOOK_EVERY)
        except subprocess.TimeoutExpired:
            look()


def _keep(log: Path, text: str) -> None:
    with append_privately(log) as file:
        file.write(text.encode(errors="replace"))
