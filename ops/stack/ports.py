"""Chooses the port of the API."""

from __future__ import annotations

import socket

from ops.embedded.valkey import free_port
from ops.stack.errors import StackError

USUAL = 8000


def choose_port(wanted: int | None) -> int:
    """Return `wanted`, which must be free; for None the usual one or a free one, for 0 a free one."""
    if wanted:
        if not is_free(wanted):
            raise StackError(f"Port {wanted} is taken: choose another with TAXIWAY_PORT, or leave it out.")
        return wanted
    return USUAL if wanted is None and is_free(USUAL) else free_port()


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
