"""User of an embedded PostgreSQL, which refuses to run as root.

An ordinary user runs it under their own account. Root has two ways; the owner of existing data shows which one was used before:

1. a user namespace: an ordinary user inside, root for every file outside. Nothing is copied, and no account or owner
   changes. Some containers and hardened kernels refuse it;
2. the user `nobody`, which must own the data and have access to data and programs.
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
"""The overflow id: the id of an unmapped user inside a user namespace."""


@dataclass(frozen=True)
class Identity:
    """The user of a server; for `userns`, `uid` and `gid` are those inside the namespace."""

    way: Way
    uid: int
    gid: int

    @property
    def become(self) -> str:
        """Return the argument for `ops.launch`."""
        return "" if self.way == "self" else f"{self.way}:{self.uid}:{self.gid}"

    def run(self, argv: Sequence[str], cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
        """Run a short program as this user, and return its exit status and output."""
        words = [f"become={self.become}", f"cwd={cwd}", "--", *argv]
        launch = [sys.executable, "-I", "-S", str(LAUNCH), *words]
        return subprocess.run(launch, check=False, capture_output=True, text=True)

    def can_run(self, program: Path, cwd: Path = Path("/")) -> bool:
        """Return whether this user can start `program` in the folder `cwd`."""
        return self.run([str(program), "--version"], cwd).returncode == 0

    def own(self, path: Path) -> None:
        """Make this user the owner of `path` and everything below it."""
        if self.way != "setuid":
            return
        for found in (path, *path.rglob("*")):
            os.chown(found, self.uid, self.gid, follow_symlinks=False)


def identity_for(program: Path, data: Path, way: Way | None = None) -> Identity:
    """Return the user for `program` on the folder `data`, which need not exist yet; `way` forces one of the ways."""
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
