"""Programs in place of the processes of a stack, and functions that start and await them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from ops.child import Child, Command
from ops.embedded.keeper import alive
from ops.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = "import time; print('ready', flush=True); time.sleep(600)"
LEISURELY = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit()))\n"
    "print('ready', flush=True)\n"
    "time.sleep(600)\n"
)
IGNORANT = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
STUBBORN = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print('ready', child.pid, flush=True)\n"
    "time.sleep(600)\n"
)


def eventually(happened: Callable[[], bool], what: str, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Return whether it has ended, even if it is not reaped (some containers have no reaper)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return not alive(pid)


def launch(stack: Stack, name: str, program: str) -> Child:
    return stack.fleet.launch(stack.fleet.command(name, [sys.executable, "-c", program]))


def start(program: str, log: Path, *, word: str = "ready") -> Child:
    """Start a Python program as a child and wait until it prints `word`."""
    child = Child(Command("worker-1", [sys.executable, "-c", program], log))
    eventually(lambda: word in child.last_lines() or not child.running, f"the child says {word}")
    return child
