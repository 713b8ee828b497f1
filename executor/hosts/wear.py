"""Wear of a host: it is replaced after a number of activations, or once its memory has grown because something leaks.

Other leftovers of runs are looked for after each activation, so a host may serve thousands.
"""

import os
from pathlib import Path
from typing import Final

from executor.hosts.host import Host
from models.runtime.facts import fact
from models.runtime.settings import Settings

LOOK_EACH: Final = 64
"""Activations between two looks at a host's memory. What the first ones load for all later ones is no growth."""
_MIB: Final = 1 << 20
_RESIDENT: Final = 1
"""Index of the resident size in `/proc/PID/statm`, in pages."""
_PAGE: Final = os.sysconf("SC_PAGESIZE")


def is_worn(host: Host, settings: Settings) -> bool:
    """Return whether a host must be replaced; called after each activation."""
    if host.activations >= settings.host_activations:
        return True
    if host.activations % LOOK_EACH:
        return False
    memory = _memory(host.process.pid)
    if host.memory_at_first is None:
        host.memory_at_first = memory
    grown = (memory - host.memory_at_first) // _MIB
    if grown < settings.host_growth:
        return False
    why = f"its memory grew by {grown:,} MiB in {host.activations - LOOK_EACH:,} activations (TAXIWAY_HOST_GROWTH)"
    fact("host.replaced", why=why)
    return True


def _memory(process: int) -> int:
    """Return the resident bytes of a process, 0 on a system without /proc."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[_RESIDENT]) * _PAGE
    except OSError:
        return 0
