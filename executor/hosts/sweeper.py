"""Sweeper of one account: ends its processes, System V objects and keyrings, by `python -I -S sweeper.py UID GID`.

It runs under the account. One signal reaches all processes of the account: none can start between listing and killing.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

_KEYCTL = {"x86_64": 250, "aarch64": 219}
_CLEAR = 7
_PERSISTENT = 22
_IPC_RMID = 0
_KEYRINGS = (-4, -5)  # of the user and of its sessions; the kernel keeps the persistent one for days
_PROCESS_KEYRING = -2


def main(uid: int, gid: int) -> None:
    """Change to the account, then kill its processes and remove its objects."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if not uid or os.getresuid() != (uid, uid, uid):
        raise SystemExit("the account was not changed")  # as root the next line would end the machine
    with suppress(ProcessLookupError, PermissionError):
        os.kill(-1, signal.SIGKILL)
    libc = ctypes.CDLL(None)
    keyctl = _KEYCTL.get(os.uname().machine)
    if keyctl:
        kept = libc.syscall(keyctl, _PERSISTENT, -1, _PROCESS_KEYRING)  # below zero if the kernel has none
        for keyring in (*_KEYRINGS, *((kept,) if kept > 0 else ())):
            libc.syscall(keyctl, _CLEAR, keyring)
    for kind in ("shm", "msg", "sem"):
        with suppress(OSError):
            remove_objects(libc, kind, uid)


def remove_objects(libc: ctypes.CDLL, kind: str, uid: int) -> None:
    """Remove shared memory, queues or semaphores of the account; their owner needs no capability for that."""
    names, *rows = [line.split() for line in Path("/proc/sysvipc", kind).read_text().splitlines()]
    for row in rows:
        found = dict(zip(names, row, strict=False))
        if str(uid) in (found["uid"], found["cuid"]):
            more = (0, _IPC_RMID) if kind == "sem" else (_IPC_RMID, None)
            getattr(libc, f"{kind}ctl")(int(row[1]), *more)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
