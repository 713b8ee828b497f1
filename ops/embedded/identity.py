"""Decides as which user PostgreSQL runs, since it refuses to run as root.

An ordinary user runs it as oneself. Root has two ways, and the owner of existing data tells which was taken before:

1. a user namespace: an ordinary user inside, root to every file outside. Nothing is copied, no account and no owner
   changes. Refused by some containers and hardened kernels;
2. changing to `nobody`, who must own the data and be able to read the programs and reach both.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ops.child import LAUNCH

Way = Literal["self", "userns", "setuid"]
NO_ACCOUNT = 65534
"""The overflow id: what an unmapped user looks like inside a user namespace."""


@dataclass(frozen=True)
class Identity:
    """The user that a server runs as: `uid` and `gid` count inside the namespace for `userns`."""

    way: Way
    uid: int
    gid: int

    @property
    def become(self) -> str:
        """Return the word that `ops.launch` understands."""
        return "" if self.way == "self" else f"{self.way}:{self.uid}:{self.gid}"

    def run(self, argv: Sequence[str], cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
        """Run a short program as this user, and return its exit status and output."""
        words = [f"become={self.become}", f"cwd={cwd}", "--", *argv]
        launch = [sys.executable, "-I", "-S", str(LAUNCH), *words]
        return subprocess.run(launch, check=False, capture_output=True, text=True)

    def can_run(self, program: Path, cwd: Path = Path("/")) -> bool:
        """Say whether this user can start `program` in the folder `cwd`."""
        return self.run([str(program), "--version"], cwd).returncode == 0

    def own(self, path: Path) -> None:
        """Hand `path`, and what is below it, to this user."""
        if self.way != "setuid":
            return
        for found in (path, *path.rglob("*")):
            os.chown(found, self.uid, self.gid, follow_symlinks=False)


def identity_for(program: Path, data: Path, way: Way | None = None) -> Identity:
    """Return as whom `program` runs on the folder `data`, which need not exist yet; `way` forces one."""
    if os.geteuid() != 0:
        return Identity("self", os.geteuid(), os.getegid())
    owner = data.stat().st_uid if data.exists() else 0
    if owner != 0:
        return _other_user(owner)
    ordinary = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, NO_ACCOUNT))
    inside = Identity("userns", ordinary.pw_uid, ordinary.pw_gid)
    if way != "setuid" and sys.platform == "linux" and inside.can_run(program):
        return inside
    return _other_user(pwd.getpwnam("nobody").pw_uid)


def _other_user(uid: int) -> Identity:
    return Identity("setuid", uid, pwd.getpwuid(uid).pw_gid)
