"""Free ports of this machine, for servers that start a moment later."""

from __future__ import annotations

import random
import socket
from pathlib import Path

OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST, USUAL_OUTGOING = 10_000, 32_768
TRIES = 100


def free_port() -> int:
    """Return a port that is free now, and that the system gives to no outgoing connection before it is listened on.

    A port that the system chose itself may be the next one that it chooses for somebody else's connection.
    """
    chance = random.SystemRandom()  # two processes must not choose alike, whoever seeded `random`
    below = _first_outgoing()
    for _ in range(TRIES if below > LOWEST else 0):
        if is_free(port := chance.randrange(LOWEST, below)):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Say whether something could listen on this port of this machine now."""
    with socket.socket() as probe:
        # As uvicorn does: a port whose last connections are only fading is free.
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
        return USUAL_OUTGOING  # other systems begin here or higher
