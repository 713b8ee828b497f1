"""Virtual environment of DBOS, separate because its dependencies differ: made once, from pinned versions."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PINNED = Path(__file__).resolve().parents[1] / "peers.txt"
PATIENCE = 240.0
"""Seconds that the installation may take."""


class EnvironmentMissing(Exception):
    """The environment cannot be made; the message gives the reason in one line."""


def peer_python(folder: Path) -> Path:
    """Return the interpreter of the environment in `folder`; it is replaced if the pinned versions have changed."""
    python = folder / "bin" / "python"
    installed = folder / "installed.txt"
    if installed.exists() and installed.read_text() == PINNED.read_text():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)])
    _run([str(python), "-m", "pip", "--disable-pip-version-check", "-q", "install", "-r", str(PINNED)])
    installed.write_text(PINNED.read_text())
    return python


def version() -> str:
    """Return the pinned version of DBOS."""
    return PINNED.read_text().splitlines()[0].partition("==")[2]


def _run(argv: list[str]) -> None:
    try:
        subprocess.run(argv, check=True, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.CalledProcessError as error:
        raise EnvironmentMissing(_last_line(error.stderr) or f"{argv[0]} ended with {error.returncode}") from error
    except subprocess.TimeoutExpired as error:
        raise EnvironmentMissing(f"the installation took more than {PATIENCE:.0f} s") from error


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if "ERROR" in line.upper()] or text.splitlines()
    return lines[-1].strip() if lines else ""
