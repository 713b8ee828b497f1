"""A tenant that tries to get the data of another one, and the other one. It writes its findings into the folder `loot`.

It signals and limits only its worker and what that has started, so that no other process of the machine is in danger.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import hashlib
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import taxiway.frames
from taxiway import Run, agent

WORD = re.compile(rb"sentinel-[0-9a-z]{8,40}")
LOOT: Path | None = None
LIMIT_OTHERS = False
WORKER = os.getppid()
CONTROL = f"sentinel-{hashlib.sha256(str(os.getpid()).encode()).hexdigest()[:16]}own"
_ptrace = ctypes.CDLL(None, use_errno=True).ptrace


# ------------------------------------------------------------------------------------------------------- the good tenant
def work(words: list[str]) -> list[str]:
    return [word[::-1] for word in words]


@agent
def good(run: Run, words: list[str], keep_files: bool) -> dict[str, Any]:
    """Keep every word in memory, in a step's value, in a file and in the environment of a child."""
    turned = run.step(work, words)
    kept = tempfile.NamedTemporaryFile("w", delete=False)  # noqa: SIM115 - it stays until the host ends
    if keep_files:
        kept.write("\n".join(words))
        kept.flush()
    child = subprocess.run(
        [sys.executable, "-S", "-c", "import os, time; time.sleep(0.02); print(os.environ['WORDS'])"],
        env={"WORDS": " ".join(words)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {"turned": turned, "seen": child.stdout.split(), "words": words}


# ---------------------------------------------------------------------------------------------------- the hostile tenant
def keep(data: bytes | str, where: str) -> None:
    """Write down every word that looks like the other tenant's."""
    found = set(WORD.findall(data if isinstance(data, bytes) else data.encode(errors="replace")))
    if found and LOOT is not None:
        with (LOOT / f"{os.getpid()}-{random.getrandbits(64)}").open("wb") as loot:
            loot.write(where.encode() + b"\n" + b"\n".join(found))


def hook() -> None:
    """Intercept everything that passes through this process."""
    decode, loads = taxiway.frames.decode, json.loads

    def hear(body: Any) -> Any:
        keep(bytes(body), "frames.decode")
        return decode(body)

    def listen(text: Any, *args: Any, **more: Any) -> Any:
        keep(text, "json.loads")
        return loads(text, *args, **more)

    def trace(frame: Any, event: str, argument: Any) -> Any:
        with suppress(Exception):
            keep(repr((frame.f_locals, argument))[:20_000], f"trace {event}")

    taxiway.frames.decode, json.loads = hear, listen
    atexit.register(
        lambda: keep(repr(sys.modules["gc"].get_objects())[: 10**6] if "gc" in sys.modules else "", "atexit")
    )
    sys.setprofile(trace)
    threading.setprofile(trace)


def others() -> list[int]:
    return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal() and int(one.name) != os.getpid()]


def family() -> list[int]:
    """Return the worker and the processes that it has started, except this process and its host."""
    found = [WORKER]
    for process in others():
        with suppress(OSError):
            parent = int(Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()[1])
            found += [process] if parent == WORKER else []
    return [process for process in found if process not in (os.getpid(), os.getppid())]


def read_memory(process: int) -> None:
    with suppress(OSError), Path(f"/proc/{process}/mem").open("rb") as memory:
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            first, last = (int(part, 16) for part in span.split("-"))
            if rights.startswith("rw") and last - first < 1 << 26:
                with suppress(OSError):
                    memory.seek(first)
                    keep(memory.read(last - first), f"memory of {process}")


def spy() -> None:
    """Read memory, environment, arguments and descriptors of every process."""
    for process in others():
        for name in ("environ", "cmdline"):
            with suppress(OSError):
                keep(Path(f"/proc/{process}/{name}").read_bytes(), f"{name} of {process}")
        read_memory(process)
        with suppress(OSError):
            for descriptor in Path(f"/proc/{process}/fd").iterdir():
                with suppress(OSError, ValueError):
                    opened = os.open(descriptor, os.O_RDONLY | os.O_NONBLOCK)
                    keep(os.read(opened, 1 << 16), f"descriptor of {process}")
                    os.close(opened)
    for process in family():
        if _ptrace(0x4206, process, None, None) == 0:
            keep(f"sentinel-traced{process:08d}", "ptrace")


def search() -> None:
    """Read every file that this account may read in folders of temporary and runtime files."""
    places = {"/tmp", "/var/tmp", "/dev/shm", "/run/user", tempfile.gettempdir()}
    for place in places:
        for folder, inner, names in os.walk(place):
            if folder.count("/") > place.count("/") + 4 or (LOOT is not None and folder == str(LOOT)):
                inner.clear()
                continue
            for name in names:
                with suppress(OSError):
                    file = Path(folder, name)
                    if file.is_file() and file.stat().st_size < 1 << 20:
                        keep(file.read_bytes(), str(file))


def attack() -> None:
    """Stop and kill the worker and its hosts, and remove their resources."""
    for process in family():
        for what in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
            with suppress(OSError):
                os.kill(process, what)
        if LIMIT_OTHERS:
            with suppress(OSError, ValueError):
                resource.prlimit(process, resource.RLIMIT_NOFILE, (0, 0))
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process, 19)
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_STACK, resource.RLIMIT_FSIZE):
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (1 << 20, 1 << 20))


def channels() -> list[int]:
    found = []
    for descriptor in range(3, 256):
        with suppress(OSError, ValueError):
            if str(Path(f"/proc/self/fd/{descriptor}").readlink()).startswith("socket:"):
                found.append(descriptor)
    return found


def steal() -> None:
    """Read everything that arrives through inherited descriptors."""
    for descriptor in range(256):
        with suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_NONBLOCK)
            keep(os.read(descriptor, 1 << 16), "an inherited descriptor")


def daemon() -> None:
    """Stay alive, detached, and search for words until it is killed."""
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    while True:
        with suppress(Exception):
            steal(), spy(), search(), attack()
        time.sleep(0.05)  # the machine has to execute other tests, too


def foul(how: int) -> None:
    """Write to the worker what is not a frame, half a frame, too much, or descriptors."""
    for descriptor in channels():
        with suppress(OSError):
            channel = socket.socket(fileno=os.dup(descriptor))
            channel.settimeout(1)
            match how % 3:
                case 0:
                    channel.sendall(b"\x00\x00\x10\x00half a frame")
                case 1:
                    one = json.dumps({"frame": "log", "message": "x" * 500}).encode()
                    channel.sendall((len(one).to_bytes(4, "big") + one) * 2000)
                case 2:
                    for _ in range(50):
                        socket.send_fds(channel, [b"\x00"], [0] * 200)


@agent
def hostile(run: Run, loot: str, n: int, limit_others: bool) -> int:
    """Do one kind of harm after the other."""
    global LOOT, LIMIT_OTHERS
    if os.getuid() == 0:
        raise SystemExit("not as root")
    LOOT, LIMIT_OTHERS = Path(loot), limit_others
    os.environ["CONTROL"] = CONTROL
    Path(tempfile.gettempdir(), "control").write_text(CONTROL)
    match n % 6:
        case 0:
            hook()
        case 1:
            daemon()
            time.sleep(0.3)
        case 2:
            daemon()
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGKILL)
        case 3:
            spy()
            search()
        case 4:
            hook()
            attack()
        case 5:
            foul(n // 6)
            time.sleep(0.2)
    return n
