"""Agents that put their input into every place that agents can write to, and end in every way."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import taxiway
from taxiway import Run, agent


def repeat(secret: str) -> str:
    taxiway.emit("inside", {"secret": secret})
    taxiway.log(f"inside: {secret}")
    return secret


def refuse(secret: str) -> None:
    raise ValueError(f"no: {secret}")


def tell(run: Run, secret: str) -> None:
    run.step(repeat, secret)
    run.log(f"log: {secret}")
    run.emit("event", {"secret": secret})
    run.emit("durable", {"secret": secret}, durable=True)
    run.progress(1, 2, note=secret)
    print(f"stdout: {secret}")  # noqa: T201 - what agents do
    print(f"stderr: {secret}", file=sys.stderr)  # noqa: T201 - what agents do


@agent
def secret_result(run: Run, secret: str) -> dict[str, str]:
    """Succeed."""
    tell(run, secret)
    return {"secret": secret}


@agent
def secret_step_error(run: Run, secret: str) -> None:
    """Fail in a step."""
    tell(run, secret)
    run.step(refuse, secret)


@agent
def secret_agent_error(run: Run, secret: str) -> None:
    """Fail outside of a step."""
    tell(run, secret)
    raise RuntimeError(secret)


@agent
def secret_bad_value(run: Run, secret: str) -> None:
    """Fail with a value that cannot be recorded."""
    tell(run, secret)
    run.using(name="bad value").step(lambda: {secret: {secret}})


@agent
def secret_wait(run: Run, secret: str, file: str) -> None:
    """Wait until the cancel."""
    tell(run, secret)
    Path(file).touch()
    time.sleep(3600)


@agent
def secret_crash(run: Run, secret: str, file: str) -> None:
    """Take the host down with the first activation."""
    tell(run, secret)
    if not Path(file).exists():
        Path(file).touch()
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)


@agent
def secret_unfinished(run: Run, secret: str) -> None:
    """Print lines without an end."""
    print(f"begun on stdout: {secret}", end="")  # noqa: T201 - what agents do
    print(f"begun on stderr: {secret}", end="", file=sys.stderr)  # noqa: T201 - what agents do
