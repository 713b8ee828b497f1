"""Private temporary folders of the hosts of this worker, each removed with its host.

They lie in one folder that the worker holds locked. A killed worker leaves its folder behind; the next worker that starts on
the machine finds it unlocked and removes it.
"""

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from executor.hosts.accounts import Account
from executor.hosts.removal import remove_tree

PREFIX = "taxiway-hosts-"


class TempFolders:
    """Makes and removes folders. Used by the pool's spawner only, except for `close`."""

    def __init__(self, *, others_enter: bool) -> None:
        self._others_enter = others_enter
        self._made = 0
        self._folder, self._lock = _locked_folder(0o711 if others_enter else 0o700)

    def make(self, account: Account | None) -> Path:
        """Make a folder that only this account may enter; without one, the worker's account."""
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir(0o700)
        if account is not None:
            os.chown(folder, account.uid, account.gid)
        return folder

    def close(self) -> None:
        """Remove all of them."""
        remove_tree(self._folder)
        os.close(self._lock)


def remove_leftovers() -> None:
    """Remove the folders of workers that have ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid != os.geteuid():
                continue
            lock = _open(folder)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(folder)
            finally:
                os.close(lock)


def _locked_folder(mode: int) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(OSError):
            lock = _open(folder)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder.chmod(mode)  # fails if another worker took it for a leftover before it was locked
            return folder, lock


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
