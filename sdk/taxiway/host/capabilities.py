"""Capabilities that a host of root keeps: the defaults of containers, without those that reach other processes.

Without the others it cannot read `/proc/PID/environ` and `maps` outside its domain (`SYS_ADMIN`, `PERFMON`), listen to the
machine's traffic (`NET_RAW`), take resources from other accounts (`SYS_RESOURCE`, `SYS_NICE`), or open devices and files past
the permission checks (`MKNOD`, `SYS_RAWIO`, `DAC_READ_SEARCH`). Root's files stay open to it, and `sudo -u` works. A program
that a host starts cannot regain a dropped capability: the bounding set lacks it too.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

_KEPT: Final = {
    "CHOWN": 0,
    "DAC_OVERRIDE": 1,
    "FOWNER": 3,
    "FSETID": 4,
    "KILL": 5,
    "SETGID": 6,
    "SETUID": 7,
    "SETPCAP": 8,
    "NET_BIND_SERVICE": 10,
    "SYS_CHROOT": 18,
    "AUDIT_WRITE": 29,
    "SETFCAP": 31,
}
_VERSION: Final = 0x20080522
_KINDS: Final = 3  # effective, permitted, inheritable: in two words each
_PR_CAPBSET_READ: Final = 23
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_CLEAR_ALL: Final = 4


def drop_capabilities() -> None:
    """Drop all other capabilities in the calling thread and whatever it starts.

    Call it after `confine`, which may need `SYS_ADMIN`. Raises OSError if the kernel refuses. An account without capabilities
    gains none: setuid programs run as the caller. Otherwise one host could leave such a program for the account's next tenant.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_VERSION, 0), (ctypes.c_uint32 * (2 * _KINDS))()
    _checked(libc.capget(header, sets))
    if not any(sets):
        _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return
    _bound(libc)
    libc.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    for place in range(2 * _KINDS):
        sets[place] &= _mask(place // _KINDS)
    _checked(libc.capset(header, sets))


def _mask(word: int) -> int:
    return sum(1 << number % 32 for number in _KEPT.values() if number // 32 == word)


def _bound(libc: ctypes.CDLL) -> None:
    """Remove the others from the bounding set; without `SETPCAP` for that, forbid all programs new privileges."""
    number = 0
    while (within := libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0)) >= 0:
        if within and number not in _KEPT.values() and libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0):
            _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
            return
        number += 1


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
