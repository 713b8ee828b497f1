"""A worker small enough for tests: it starts a real agent host, answers it, and keeps its records."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any, Self

from taxiway.frames import ChannelClosed, Frame, FrameError, FrameSocket

PATIENCE = 20.0
RECORDED = ("step", "step_failed", "step_abandoned", "turn", "open")
LARGE = 32 * 1024


class Run:
    """The database's state of one run."""

    def __init__(self, agent: str, given: dict[str, Any] | None = None, run_id: str = "run-1") -> None:
        self.agent = agent
        self.input = json.dumps(given or {})
        self.run_id = run_id
        self.steps: dict[str, dict[str, Any]] = {}
        self.inputs: dict[str, list[str]] = {}
        self.waits: dict[str, dict[str, Any]] = {}
        """What was opened, and what came of it: an item of a `recorded` frame each."""
        self.turns: list[dict[str, Any]] = []
        self.seq = 0
        self.activations = 0
        self.began = time.monotonic()
        self.park_after_ms = 10_000

    def record(self, frame: Frame) -> None:
        """Record a step from a frame."""
        identity = {field: frame.get(field) for field in ("key", "name", "digest", "occurrence", "at")}
        self.seq += 1
        identity["seq"] = self.seq
        blank = {"attempts": frame.get("attempts", 0), "value": None, "error": None, "large": False}
        match frame["frame"]:
            case "step":
                self.steps[frame["key"]] = {**identity, **blank, "status": "succeeded", "value": frame["value"]}
            case "step_failed":
                status = "failed" if frame["final"] else "retrying"
                self.steps[frame["key"]] = {**identity, **blank, "status": status, "error": frame["error"]}
            case "step_started" if frame["once"]:
                self.steps[frame["key"]] = {**identity, **blank, "status": "intended"}
            case "step_abandoned":
                self.steps[frame["key"]] = {**identity, **blank, "status": "abandoned"}
            case "turn":
                self.turns.append({name: frame[name] for name in ("at", "seen", "gone")} | {"seq": self.seq})
            case "open" | "park":
                for wait in frame["waits"]:
                    self.waits.setdefault(wait["key"], {**wait, "outcome": None, "answer": None})

    def settle(self, key: str, outcome: str, answer: Any = None) -> dict[str, Any]:
        """Set the outcome of a wait; return it as frames carry it."""
        wait = self.waits.pop(key)
        wait |= {"outcome": outcome, "answer": None if answer is None else json.dumps(answer)}
        self.waits[key] = wait  # the newest outcome is the last one
        return {name: wait[name] for name in ("key", "kind", "outcome", "answer")}

    def value(self, name: str) -> Any:
        """Return the recorded value of the only step of this name."""
        (text,) = [step["value"] for step in self.steps.values() if step["name"] == name]
        return json.loads(text)


class Host:
    """A real agent host and its fake worker, which reads in the test's own thread."""

    def __init__(
        self,
        *specs: Path | str,
        lease_ms: int = 60_000,
        python: str = sys.executable,
        more: tuple[str, ...] = (),
        pass_fds: tuple[int, ...] = (),
        **popen: Any,
    ) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        command = [python, "-I", "-m", "taxiway.host", "--fd", str(theirs.fileno()), "--lease-ms", str(lease_ms)]
        command += ["--parent", str(os.getpid()), "--agents", ",".join(map(str, specs)), *more]
        self.process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno(), *pass_fds],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            **popen,
        )
        theirs.close()
        self.channel = FrameSocket(ours)
        self.frames: list[Frame] = []
        self.refuse: dict[str, tuple[str, str]] = {}
        """Kind of frame → code and message with which the next of its kind is refused."""
        self._output: dict[str, bytes] = {}
        drains = ("stdout", "stderr")
        self._readers = [threading.Thread(target=self._drain, args=(name,), daemon=True) for name in drains]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()
        if self.process.poll() is None:
            self.kill()
        self.process.wait(PATIENCE)

    def kill(self) -> None:
        """Kill the host's process group, as a worker does."""
        os.killpg(self.process.pid, 9)

    def hello(self) -> Frame:
        """Return the host's first frame."""
        first = self.next()
        assert first["frame"] in ("hello", "broken"), first
        return first

    def next(self) -> Frame:
        """Return the next frame of the host, unanswered."""
        frame = self.channel.recv(PATIENCE)
        assert frame is not None, f"the host said nothing for {PATIENCE} s; stderr: {self.stderr()}"
        self.frames.append(frame)
        return frame

    def activate(self, run: Run, **limits: int) -> str:
        """Send a run and its records; return the activation's id."""
        run.activations += 1
        activation = f"{run.run_id}.{run.activations}"
        sizes = {"value": 1 << 20, "result": 1 << 20, "event": 64 << 10} | limits
        self.channel.send(
            {
                "frame": "activate",
                "activation": activation,
                "runId": run.run_id,
                "epoch": run.activations,
                "number": run.activations,
                "agent": run.agent,
                "input": run.input,
                "userId": "u-7",
                "metadata": {"team": "a"},
                "tenant": "default",
                "timeoutMs": None,
                "limits": sizes,
                "clockMs": (time.monotonic() - run.began) * 1000,
                "parkAfterMs": run.park_after_ms,
            }
        )
        about = {"steps": [], "waits": [*run.waits.values()], "turns": run.turns}
        self.channel.send({"frame": "recorded", "activation": activation, **about, "last": False})
        steps = list(run.steps.values())
        for start in range(0, len(steps), 100):
            part = [_slim(step) for step in steps[start : start + 100]]
            self.channel.send({"frame": "recorded", "activation": activation, "steps": part, "last": False})
        self.channel.send({"frame": "recorded", "activation": activation, "steps": [], "last": True})
        return activation

    def serve(self, run: Run, until: Any = lambda _frame: False) -> Frame:
        """Answer frames up to the activation's end, or to the first one for which `until` holds; return that one unanswered."""
        while True:
            frame = self.next()
            if until(frame):
                return frame
            assert frame["frame"] != "park", f"the run waits: {frame['waits']}"
            self.answer(run, frame)
            if frame["frame"] in ("finish", "fail"):  # its end is answered too
                return frame

    def answer(self, run: Run, frame: Frame) -> None:
        """Answer one frame as a worker would."""
        kind = frame["frame"]
        if kind == "recall":
            text = run.steps[frame["key"]]["value"]
            self.send(frame, "recalled", key=frame["key"], value=text)
        elif kind in self.refuse:
            code, message = self.refuse.pop(kind)
            self.send(frame, "refused", n=frame["n"], code=code, message=message)
        elif kind == "spawn":
            self._spawned(run, frame)
        elif kind in (*RECORDED, "finish", "fail") or frame.get("once") or frame.get("durable"):
            run.record(frame)
            self.send(frame, "ack", n=frame["n"])

    def _spawned(self, run: Run, frame: Frame) -> None:
        run.inputs.setdefault(frame["key"], []).extend(frame["inputs"])
        if not frame["more"]:
            ids = [f"child-{n}" for n in range(len(run.inputs[frame["key"]]))]
            run.record({**frame, "frame": "step", "attempts": 1, "value": json.dumps(ids)})
            self.send(frame, "ack", n=frame["n"], value=json.dumps(ids))

    def send(self, about: Frame, kind: str, **fields: Any) -> None:
        """Send a frame that belongs to the activation of another one."""
        self.channel.send({"frame": kind, "activation": about["activation"], **fields})

    def carry(self, run: Run, **limits: int) -> Frame:
        """Execute a run in one activation and return its end."""
        self.activate(run, **limits)
        return self.serve(run)

    def result(self, run: Run) -> Any:
        """Execute a run to its end, which must be a result, and return that."""
        end = self.carry(run)
        assert end["frame"] == "finish", end
        return json.loads(end["value"])

    def of_kind(self, *kinds: str) -> list[Frame]:
        """Return the received frames of some kinds."""
        return [frame for frame in self.frames if frame["frame"] in kinds]

    def ends(self) -> Exception:
        """Read until the channel ends, and return how it ended."""
        while True:
            try:
                self.next()
            except (ChannelClosed, FrameError) as end:
                return end

    def exit_code(self) -> int:
        """Wait for the process to end and return its status."""
        return self.process.wait(PATIENCE)

    def stdout(self) -> str:
        """Return the output of an ended host."""
        return self._whole("stdout")

    def stderr(self) -> str:
        """Return the error output of an ended host."""
        return self._whole("stderr")

    def _whole(self, name: str) -> str:
        if self.process.poll() is not None:
            for reader in self._readers:
                reader.join(PATIENCE)
        return self._output.get(name, b"").decode(errors="replace")

    def _drain(self, name: str) -> None:
        stream = getattr(self.process, name)
        while chunk := os.read(stream.fileno(), 65536):
            self._output[name] = self._output.get(name, b"") + chunk
        stream.close()


def agents_file(folder: Path, source: str, name: str = "my_agents.py") -> Path:
    """Write an agents file that imports the names of the SDK."""
    path = folder / name
    head = "import asyncio, os, random, sys, threading, time\nimport taxiway\nfrom pathlib import Path\n"
    head += "from taxiway import AsyncRun, Retry, Run, StepFailed, agent, step\n"
    path.write_text(head + textwrap.dedent(source))
    return path


def wait_until(fact: Any, what: str = "the fact") -> None:
    """Wait until `fact()` holds."""
    deadline = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.005)  # the fact belongs to another process; no signal to wait on


def alive(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _slim(step: dict[str, Any]) -> dict[str, Any]:
    if step["value"] is not None and len(step["value"]) > LARGE:
        return {**step, "value": None, "large": True}
    return step
