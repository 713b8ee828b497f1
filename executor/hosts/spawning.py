"""Start of agent hosts by `exec`, up to their `hello`."""

import os
import secrets
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from taxiway.envelope import KEY_BYTES
from taxiway.frames import PROTOCOL, FrameSocket

from executor.errors import CannotServe, HostGone
from executor.hosts.host import Host, ServedAgent
from executor.hosts.output import OutputDrain
from executor.hosts.rooms import Room
from models.runtime.settings import Settings

HELLO_SECONDS = 60.0
HOST_READ_TIMEOUT_S = 5  # a blocking write to a host that reads nothing fails after this


def spawn(settings: Settings, environment: Mapping[str, str], drain: OutputDrain, room: Room) -> Host:
    """Start a host by `exec` and wait for its `hello`; raise CannotServe with the host's own sentence.

    Call it from a thread that lives as long as the worker: the parent-death signal fires when that thread ends.
    """
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", HOST_READ_TIMEOUT_S, 0))
    key = secrets.token_bytes(KEY_BYTES)
    key_pipe = _pipe_with(key)
    try:
        process = _execute(
            _command(settings, theirs.fileno(), key_pipe), (theirs.fileno(), key_pipe), environment, room
        )
    except CannotServe:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(key_pipe)
    host = Host(process, FrameSocket(ours), drain=drain, key=key, room=room)
    printed = _watch_output(host, process, drain)
    try:
        return _greeted(host)
    except HostGone as error:
        host.reap()
        host.settle_output()
        hint = f" It said: {printed[-1]}" if printed else ""
        raise CannotServe(f"{error}.{hint}") from error
    finally:
        host.on_output = None


def _command(settings: Settings, channel: int, key_pipe: int) -> list[str]:
    return [
        settings.agent_python or sys.executable, "-I", "-m", "taxiway.host", "--fd", str(channel),
        "--lease-ms", str(int(settings.lease_seconds * 1000)), "--parent", str(os.getpid()),
        "--agents", ",".join(settings.agent_specs), "--key-fd", str(key_pipe),
        *(() if settings.host_confined else ("--unconfined",)),
    ]  # fmt: skip


def _execute(
    command: list[str], descriptors: tuple[int, ...], environment: Mapping[str, str], room: Room
) -> subprocess.Popen[bytes]:
    """Start the process with these descriptors open; raise CannotServe."""
    try:
        return subprocess.Popen(
            command,
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=room.environment(environment),
            start_new_session=True,
            **room.identity(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotServe(
            f"no agent host can be started with {command[0]}: {error}; check TAXIWAY_AGENT_PYTHON and TAXIWAY_HOST_USER."
        ) from error


def _watch_output(host: Host, process: subprocess.Popen[bytes], drain: OutputDrain) -> list[str]:
    """Drain both outputs; return the list that gets each line until `host.on_output` is replaced."""
    printed: list[str] = []
    host.on_output = lambda _, line: printed.append(line)
    for pipe, stream in ((process.stdout, "stdout"), (process.stderr, "stderr")):
        assert pipe is not None  # `_execute` opens both
        drain.watch(os.dup(pipe.fileno()), stream, host.output)
        pipe.close()
    return printed


def _pipe_with(data: bytes) -> int:
    """Return the reading end of a pipe that holds a few bytes and then ends: no argument or variable shows them."""
    read, write = os.pipe()
    with os.fdopen(write, "wb") as pipe:
        pipe.write(data)
    return read


def _greeted(host: Host) -> Host:
    deadline = time.monotonic() + HELLO_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        frame = host.receive(min(left, 1.0))
        if frame is None:
            continue
        if frame["frame"] == "broken":
            error = frame.get("error")
            why = error.get("message") if isinstance(error, dict) else None
            place = f"{frame['where']}: " if frame.get("where") else ""
            raise HostGone(f"The agents cannot be loaded: {place}{why or 'no reason was given'}")
        if frame["frame"] == "hello" and frame.get("protocol") == PROTOCOL:
            return _introduced(host, frame)
        raise HostGone(
            f"The agent host speaks protocol {frame.get('protocol')!r}, this worker {PROTOCOL}; install the same taxiway"
        )
    raise HostGone(f"The agents were not loaded within {HELLO_SECONDS:.0f} s")


def _introduced(host: Host, hello: Mapping[str, Any]) -> Host:
    try:
        host.agents = tuple(_served(agent) for agent in hello["agents"])
    except (KeyError, TypeError) as error:
        raise HostGone(f"The agent host introduced itself wrongly ({type(error).__name__})") from error
    host.confined = hello.get("confined")  # hosts of older versions do not send it
    return host


def _served(agent: Mapping[str, Any]) -> ServedAgent:
    return ServedAgent(
        agent["name"],
        agent["queue"],
        agent["digest"],
        agent["schema"],
        agent.get("timeoutMs"),
        agent.get("description"),
    )
