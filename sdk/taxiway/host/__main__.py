"""Command of a host: `python -I -m taxiway.host --fd N --lease-ms N --parent PID --agents SPEC[,SPEC…] [--key-fd N]`."""

from __future__ import annotations

import argparse
import faulthandler
import os
import socket
import sys

from taxiway.frames import FrameSocket
from taxiway.host.capabilities import drop_capabilities
from taxiway.host.child_processes import adopt_all
from taxiway.host.confinement import SIGNALS_AND_TRACING, confine
from taxiway.host.process_end import tie_to
from taxiway.host.service import Service

PROGRAM = "taxiway-agents"


def main() -> int:
    """Serve the worker at the other end of the descriptor, until it sends `stop`."""
    parser = argparse.ArgumentParser(prog="taxiway.host", description="Executes agents for the worker that started it.")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--lease-ms", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--agents", required=True)
    parser.add_argument("--key-fd", type=int)
    parser.add_argument("--unconfined", action="store_true")  # unknown to older hosts
    given = parser.parse_args()
    sys.argv = [PROGRAM]  # agents that parse arguments when they are imported would find the host's
    sys.orig_argv = [PROGRAM]
    os.set_inheritable(given.fd, False)
    tie_to(given.parent)
    confined = None
    if not given.unconfined:  # before there is a second thread
        confined = confine()
        drop_capabilities()
    adopt_all(signals_stay_within=confined == SIGNALS_AND_TRACING)
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr] # both are files
    channel = FrameSocket(socket.socket(fileno=given.fd))
    key = None if given.key_fd is None else _key(given.key_fd)
    specs = [spec.strip() for spec in given.agents.split(",")]
    return Service(channel, given.lease_ms / 1000, key, confined).run([spec for spec in specs if spec])


def _key(descriptor: int) -> bytes:
    """Return the key of sealed tokens, read from a pipe: arguments and variables can be read from outside."""
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read()


if __name__ == "__main__":
    sys.exit(main())
