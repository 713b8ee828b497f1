"""Choice of the API's port."""

from __future__ import annotations

from ops.ports import free_port, is_free
from ops.stack.errors import StackError

USUAL = 8000


def choose_port(wanted: int | None) -> int:
    """Return `wanted`, which must be free; None: the usual port, or a free one; 0: a free one."""
    if wanted:
        if not is_free(wanted):
            raise StackError(f"Port {wanted} is taken: choose another with TAXIWAY_PORT, or unset it.")
        return wanted
    return USUAL if wanted is None and is_free(USUAL) else free_port()
