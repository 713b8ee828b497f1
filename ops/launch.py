"""Launcher: becomes another program, as the right user, which ends with the calling process.

Run as a script by `ops.child`, with options before `--` and the program after it:

    python -I -S ops/launch.py parent=4711 death=2 become=userns:1:1 cwd=/ -- postgres -D …

It is a program and not a `preexec_fn`, because Python code between fork and exec may deadlock in a process with threads. The
process id stays the same through exec, so the caller's handle is the program's.
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
CANNOT_BECOME, CANNOT_RUN = 125, 126


def enter_user_namespace(uid: int, gid: int) -> None:
    """Map our user to `uid` in a new user namespace: an ordinary user inside, still our user for every file outside."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not available")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outer_uid} 1"),
        ("gid_map", f"{gid} {outer_gid} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")


def change_user(uid: int, gid: int) -> None:
    """Drop root for good."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def become(how: str) -> None:
    """Apply `userns:UID:GID` or `setuid:UID:GID`; an empty argument changes nothing."""
    if not how:
        return
    kind, uid, gid = how.split(":")
    (enter_user_namespace if kind == "userns" else change_user)(int(uid), int(gid))


def die_with(parent: int, signal: int) -> None:
    """Receive `signal` when the parent ends (Linux; on other systems the parent must stop us)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("launch: the calling process has ended")


def main(words: list[str]) -> None:
    split = words.index("--")
    options = dict(word.split("=", 1) for word in words[:split])
    program = words[split + 1 :]
    try:
        become(options.get("become", ""))
        os.chdir(options.get("cwd", "."))
    except OSError as error:
        print(f"launch: cannot run {program[0]} as {options.get('become')}: {error}", file=sys.stderr)
        sys.exit(CANNOT_BECOME)
    # After the change of user: the kernel clears the death signal when credentials change.
    if "parent" in options:
        die_with(int(options["parent"]), int(options["death"]))
    try:
        os.execvp(program[0], program)  # noqa: S606 - becoming the program is the purpose
    except OSError as error:
        print(f"launch: cannot run {program[0]}: {error}", file=sys.stderr)
        sys.exit(CANNOT_RUN)


if __name__ == "__main__":
    main(sys.argv[1:])
