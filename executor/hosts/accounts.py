"""Accounts that agent hosts run under, each held by one worker of the machine at a time.

A lock file for each account lies in a folder that root alone may enter. The kernel releases the locks when a worker ends,
however it ends, so an account is never lost; agent code can neither take nor see a lock.
"""

import fcntl
import os
import pwd
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from executor.errors import CannotServe
from models.runtime.host_user import accounts_named

LOCKS = "taxiway-accounts"


@dataclass(frozen=True, slots=True)
class Account:
    """A user id and its group."""

    uid: int
    gid: int


def named(text: str) -> list[Account]:
    """Return the accounts that `TAXIWAY_HOST_USER` names; raise CannotServe if this worker may not use one of them."""
    if os.geteuid() != 0:
        raise CannotServe(
            f"TAXIWAY_HOST_USER={text} needs a worker that is started as root; this one has user id {os.geteuid()}."
        )
    found = [_account(name) for name in accounts_named(text)]
    if any(account.uid == 0 for account in found):
        raise CannotServe(f"TAXIWAY_HOST_USER={text}: agent hosts never run as root; name another account.")
    if len({account.uid for account in found}) < len(found):
        raise CannotServe(f"TAXIWAY_HOST_USER={text} names an account twice.")
    return found


def hold(accounts: Iterable[Account], most: int) -> list[Account]:
    """Lock up to `most` accounts that no other worker holds, until this process ends; raise CannotServe."""
    folder = _locks()
    held: list[Account] = []
    for account in accounts:
        if len(held) == most:
            break
        lock = os.open(folder / str(account.uid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            held.append(account)
            _held[account.uid] = lock
    return held


def release(accounts: Iterable[Account]) -> None:
    """Release these accounts for other workers."""
    for account in accounts:
        os.close(_held.pop(account.uid))


_held: dict[int, int] = {}
"""The open lock file of each account that this process holds."""


def _account(name: str | int) -> Account:
    if isinstance(name, int):
        return Account(name, name)
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise CannotServe(f"TAXIWAY_HOST_USER={name}: there is no such account on this machine.") from None
    return Account(entry.pw_uid, entry.pw_gid)


def _locks() -> Path:
    """Return the folder of the locks, the same for all workers of the machine: other accounts cannot write to /run."""
    for parent in ("/run", "/var/run", tempfile.gettempdir()):
        folder = Path(parent, LOCKS)
        with suppress(FileExistsError):
            try:
                folder.mkdir(0o700)
            except FileExistsError:
                raise
            except OSError:  # the parent is missing or not writable
                continue
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o077:
            raise CannotServe(f"{folder} must be a folder of root that no other account may enter; remove it.")
        return folder
    raise CannotServe("TAXIWAY_HOST_USER needs /run or a temporary folder that can be written.")
