"""Removal of everything that an account has on the machine, so that its next tenant finds nothing of the last."""

import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from executor.hosts import sweeper
from executor.hosts.accounts import Account
from executor.hosts.removal import remove_tree

WRITABLE = (
    "/tmp",  # noqa: S108
    "/var/tmp",  # noqa: S108
    "/dev/shm",  # noqa: S108
    "/dev/mqueue",
    "/run/lock",
    tempfile.gettempdir(),
)
"""Folders in which every account may write."""
ROUNDS = 5
_SECONDS = 5.0
_DEEPEST = 8
"""Levels of folders that are searched, so that no tree is endless."""
_LOOK_AGAIN = 0.02


def sweep(account: Account) -> bool:
    """End the account's processes and remove its files and shared memory; return whether all is gone."""
    for _ in range(ROUNDS):
        _kill_all(account)
        if not processes_of(account.uid):
            break
        time.sleep(_LOOK_AGAIN)
    else:
        return False
    return all(map(_remove, _files_of(account.uid)))


def processes_of(uid: int) -> list[int]:
    """Return the living processes that have this user id in any of its four kinds."""
    found = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - a Path for each would double the time
        if entry.isdecimal():
            with suppress(OSError):
                lines = Path("/proc", entry, "status").read_text().splitlines()
                fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
                if str(uid) in fields["Uid"].split() and fields["State"][0] not in "ZX":
                    found.append(int(entry))
    return found


def _kill_all(account: Account) -> None:
    command = [sys.executable, "-I", "-S", sweeper.__file__, str(account.uid), str(account.gid)]
    none = subprocess.DEVNULL
    with suppress(
        OSError, subprocess.TimeoutExpired
    ):  # a process of the account stopped it; the next round ends that process
        subprocess.run(command, check=False, stdin=none, stdout=none, stderr=none, env={}, timeout=_SECONDS)


def _files_of(uid: int) -> Iterator[Path]:
    """Yield the account's files in these folders, and in folders below them in which every account may write."""
    folders = [*dict.fromkeys(map(os.path.realpath, WRITABLE))]
    for folder in folders:  # it grows during the loop
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    if found.st_uid == uid:
                        yield Path(entry.path)
                    elif stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_IWOTH and folder.count("/") < _DEEPEST:
                        folders.append(entry.path)


def _remove(path: Path) -> bool:
    """Remove a file or a folder, a symbolic link as such; return whether it is gone."""
    with suppress(OSError):
        if stat.S_ISDIR(path.lstat().st_mode):
            return remove_tree(path)
        path.unlink()
    return not os.path.lexists(path)
