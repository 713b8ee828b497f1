"""Command lines of the processes of a stack, the same as in deployments."""

from __future__ import annotations

import sys

MODULE = (sys.executable, "-m")
CLOSING_STREAMS = 3
"""Seconds for open streams to end when the API stops."""


def migrate() -> list[str]:
    return [*MODULE, "alembic", "upgrade", "head"]


def create_key(name: str) -> list[str]:
    scopes = "enqueue,read,decide,operate,admin"
    return [*MODULE, "api.keys", "create", "--tenant", "default", "--name", name, "--scopes", scopes]


def api(port: int) -> list[str]:
    place = ["--host", "127.0.0.1", "--port", str(port), "--http", "api.guard:Guard"]
    return [*MODULE, "uvicorn", "api.app:app", *place, "--timeout-graceful-shutdown", str(CLOSING_STREAMS)]


def scheduler() -> list[str]:
    return [*MODULE, "scheduler"]


def node_name(queue: str, number: int, slots: int) -> str:
    """Return a worker's name, which shows queue and slots in Flower: `default-1x4` is the first one, with four slots."""
    return f"{queue}-{number}x{slots}"


def worker(queue: str, number: int, slots: int) -> list[str]:
    pool = ["--pool", "threads", "-c", str(slots), "-Q", queue, "-n", f"{node_name(queue, number, slots)}@%h"]
    return [*MODULE, "celery", "-A", "executor", "worker", *pool, "--without-mingle", "--without-gossip", "-E"]


def flower() -> list[str]:
    return [*MODULE, "celery", "-A", "executor", "flower", "--conf=ops/flowerconfig.py"]
