"""Accounts without any entry, and an interpreter that they may execute: root needs both to start hosts under them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import ROOT

FIRST = 300_000 + os.getpid() % 10_000 * 1_000
"""Test processes that run beside one another have a thousand user ids each."""

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may start processes of another account")


@contextmanager
def open_folder() -> Iterator[Path]:
    """Return a folder that every account may enter; pytest's own are closed. No process of these accounts outlives it."""
    with tempfile.TemporaryDirectory(prefix="open-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        try:
            yield Path(folder)
        finally:
            _end_all()


def _end_all() -> None:
    """Kill what a killed worker has left: daemons of hostile agents would keep a core busy forever."""
    while left := [process for process in Path("/proc").glob("[0-9]*") if _is_ours(process)]:
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(int(process.name), signal.SIGKILL)


def _is_ours(process: Path) -> bool:
    try:
        ended = process.joinpath("stat").read_bytes().rpartition(b") ")[2][:1] in (b"Z", b"X")
        return FIRST <= process.stat().st_uid < FIRST + 1000 and not ended
    except OSError:
        return False


def interpreter_in(folder: Path) -> str:
    """Return an interpreter that another account may execute and that finds the SDK; skip the test without one."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for base in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        if not _may_execute(base, "pass"):
            continue
        subprocess.run([base, "-m", "venv", "--without-pip", str(folder / "venv")], check=True, timeout=60)
        packages = folder / "venv" / "lib" / version / "site-packages"
        (packages / "all.pth").write_text(f"{ROOT / 'sdk'}\n{sysconfig.get_path('purelib')}\n")
        (packages / "async_timeout.py").write_text(
            "from asyncio import timeout\n"
        )  # redis needs it below Python 3.11.3
        if _may_execute(python := str(folder / "venv" / "bin" / "python"), "import taxiway.host.service"):
            return python
    pytest.skip("no interpreter of this version that another account may execute, or a closed checkout")


def _may_execute(python: str, code: str) -> bool:
    try:
        done = subprocess.run(
            [python, "-I", "-c", code],
            check=False,
            user=FIRST,
            group=FIRST,
            extra_groups=[],
            capture_output=True,
            timeout=60,
        )
    except OSError:
        return False
    return done.returncode == 0
