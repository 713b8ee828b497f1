"""One agent host as its worker sees it: a process group, a frame channel, and the agents that it declared."""

import os
import select
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from taxiway.frames import ChannelClosed, Frame, FrameError, FrameSocket

from executor.errors import HostGone
from executor.hosts.descendants import end_descendants
from executor.hosts.output import OutputDrain
from executor.hosts.rooms import Room

VALID: Frame = {"frame": "valid"}
EXIT_WAIT_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ServedAgent:
    """An agent that hosts of this worker declare in their `hello`."""

    name: str
    queue: str
    version: str
    schema: dict[str, Any]
    timeout_ms: int | None
    description: str | None


@dataclass(slots=True, eq=False)
class Host:
    """A started host. Exactly one activation uses it at a time; `kill` may be called from any thread, any number of times."""

    process: subprocess.Popen[bytes]
    channel: FrameSocket
    room: Room
    agents: tuple[ServedAgent, ...] = ()
    tenant: str | None = None
    """The one tenant whose runs the host executes: that of its first activation."""
    activations: int = 0
    memory_at_first: int | None = None
    """Bytes of its memory at the first look; see `executor.hosts.wear`."""
    busy_with: str | None = None
    killed: str | None = None
    retired: bool = False
    left_by: str | None = None
    """The agent whose run left threads, processes or other changes behind; such a host is replaced."""
    confined: str | None = None
    """What the kernel keeps the host from doing to other processes; see `taxiway.host.confinement`."""
    on_output: Any = None
    drain: OutputDrain | None = None
    key: bytes = b""
    """Key that seals tokens in the frames to this host; see `taxiway.envelope`."""
    validity_sent_at: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, activation: str) -> None:
        """Record that an activation uses the host now."""
        self.activations += 1
        self.busy_with = activation

    def retire(self, agent: str, left: list[str]) -> None:
        """Take no further activation after this one. `left` is what its run left behind; it is empty after an interrupt."""
        self.retired, self.left_by = True, agent if left else None

    def send(self, *frames: Frame) -> None:
        """Write frames, waiting for a slow reader; raise HostGone."""
        try:
            self.channel.send(*frames)
        except (ChannelClosed, FrameError) as error:
            raise HostGone(str(error)) from error

    def try_send(self, frame: Frame) -> bool:
        """Write a frame only if that does not block; return False if the host is gone or does not read."""
        try:
            return self.channel.try_send(frame)
        except (ChannelClosed, FrameError):
            return False

    def send_validity(self) -> None:
        """Send the host a `valid` frame: the worker's lease holds. Without one it ends itself after a lease."""
        if self.try_send(VALID):
            self.validity_sent_at = time.monotonic()

    def has_given_up(self, lease_s: float) -> bool:
        """Return whether the host has received no validity for a lease, so that it has ended itself."""
        return time.monotonic() - self.validity_sent_at >= lease_s

    def receive(self, timeout: float) -> Frame | None:
        """Return the next frame, or None after `timeout` seconds; raise HostGone if the channel ended or is malformed."""
        try:
            return self.channel.recv(timeout)
        except (ChannelClosed, FrameError) as error:
            raise HostGone(self.exit_summary(str(error))) from error

    def has_settled(self) -> bool:
        """Return whether the host has sent a frame since its last activation, as it does once it has tidied up."""
        poll = select.poll()
        poll.register(self.channel, select.POLLIN)
        return bool(poll.poll(0))

    def kill(self, why: str) -> None:
        """End the process group and all descendants of the host now; the first `why` is kept."""
        with self._lock:
            self.killed = self.killed or why
            # Not reaped yet, so the number is still this group's, even if its leader has exited and left children.
            if self.process.returncode is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(self.process.pid, signal.SIGSTOP)  # it starts nothing, and adopts orphaned descendants
                end_descendants(self.process.pid)  # later they have no known parent and cannot be found
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.process.pid, signal.SIGKILL)

    def reap(self) -> None:
        """Kill the process group, reap the process and close the channel."""
        self.kill(self.killed or "finished")
        self.process.wait()
        self.channel.close()
        if self.drain is not None:
            self.drain.give_up(self.output)

    def exited(self) -> bool:
        """Return whether the process has ended, without reaping it."""
        return self.process.returncode is not None or self._exit() is not None

    def exit_summary(self, otherwise: str) -> str:
        """Return how the process ended, for the run's error."""
        deadline = time.monotonic() + EXIT_WAIT_SECONDS
        while (end := self._exit()) is None and time.monotonic() < deadline:
            time.sleep(0.005)
        if end is None:
            return otherwise
        if end.si_code == os.CLD_EXITED:
            return f"the agent host exited with status {end.si_status}"
        return f"the agent host was killed by {signal.Signals(end.si_status).name}"

    def _exit(self) -> os.waitid_result | None:
        try:
            return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:  # reaped already
            return None

    def settle_output(self) -> None:
        """Wait until all output so far has been handed over."""
        if self.drain is not None:
            self.drain.settle(self.output)

    def output(self, stream: str, line: str) -> None:
        """Hand a printed line to the current user of the host."""
        sink = self.on_output
        if sink is not None:
            sink(stream, line)
