"""Confinement of a host and its children in a Landlock domain, which any process can enter.

A process in a domain cannot trace a process outside, nor read its memory, environment or descriptors (`/proc/PID`), even with
the same account or as root. The kernel also refuses signals out of the domain if it has that scope:

    ABI 6 and newer (Linux 6.12)   signals and tracing; nothing else changes
    ABI 2 to 5 (Linux 5.19)        tracing; a domain needs some right over files there, and with one `mount` is refused
    ABI 1, none, no Linux          nothing: ABI 1 would also refuse to move a file into another folder

A process cannot leave its domain, and its children are in it as well. The worker, outside, keeps all rights over its hosts.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys
from typing import Final

SIGNALS_AND_TRACING: Final = "signals and tracing"
TRACING: Final = "tracing"

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_MACHINES: Final = ("x86_64", "aarch64", "riscv64", "ppc64le", "s390x")
"""Architectures on which the system calls have these numbers."""
_VERSION: Final = 1
_SCOPE_SIGNAL: Final = 1 << 1  # not the scope of abstract sockets: agents reach D-Bus and X11 through those
_ACCESS_REFER: Final = 1 << 13
_RULE_PATH_BENEATH: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_SCOPES_SINCE: Final = 6
_REFER_SINCE: Final = 2


def confine() -> str | None:
    """Enter a domain of this process's own; return what it prevents, None if the kernel has no such domain.

    It applies to the calling thread and whatever that starts: call it before a second thread exists. Without CAP_SYS_ADMIN the
    kernel requires `no_new_privs` first, with which setuid programs run as the caller.
    """
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return None
    with contextlib.suppress(OSError):  # an outer sandbox refuses the calls
        abi = _call(_CREATE_RULESET, None, 0, _VERSION)
        if abi >= _SCOPES_SINCE:
            _enter(struct.pack("=QQQ", 0, 0, _SCOPE_SIGNAL))
            return SIGNALS_AND_TRACING
        if abi >= _REFER_SINCE:
            _enter(struct.pack("=Q", _ACCESS_REFER), allowed=_ACCESS_REFER)
            return TRACING
    return None


def _enter(rules: bytes, allowed: int = 0) -> None:
    ruleset = _call(_CREATE_RULESET, rules, len(rules), 0)
    try:
        if allowed:
            _allow_everywhere(ruleset, allowed)
        try:
            _call(_RESTRICT_SELF, ruleset, 0)
        except PermissionError:
            _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_everywhere(ruleset: int, access: int) -> None:
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", access, root), 0)
    finally:
        os.close(root)


def _call(number: int, *arguments: int | bytes | None) -> int:
    given = [ctypes.c_long(one) if isinstance(one, int) else ctypes.c_char_p(one) for one in arguments]
    result: int = _libc().syscall(ctypes.c_long(number), *given)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc
