"""Free ports of this machine, for servers that start soon."""

from __future__ import annotations

import random
import socket
from pathlib import Path

OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST, USUAL_OUTGOING = 10_000, 32_768
TRIES = 100


def free_port() -> int:
    """Return a free port that the system does not use for outgoing connections.

    A port chosen by the system could be used for another process's connection before our server listens on it.
    """
    chance = random.SystemRandom()  # two processes must not choose the same port, even with a seeded `random`
    below = _first_outgoing()
    for _ in range(TRIES if below > LOWEST else 0):
        if is_free(port := chance.randrange(LOWEST, below)):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port now."""
    with socket.socket() as probe:
        # As uvicorn does: a port with connections in TIME_WAIT only is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _first_outgoing() -> int:
    try:
        return int(OUTGOING.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return USUAL_OUTGOING  # other systems start here or higher
