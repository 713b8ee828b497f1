"""Keeper of throw-away servers for the lifetime of a process: `python -m ops.embedded.keeper BASE PID`.

Short-lived test processes share one pair of servers this way. The addresses are in `BASE/servers.json` once both servers are
ready; `BASE` is removed at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from pathlib import Path

from ops.embedded import FAST, PostgresServer, ValkeyServer
from ops.embedded.valkey import FORGETFUL

LOOK_EVERY = 0.2
"""Seconds between two checks of the process."""


def alive(pid: int) -> bool:
    """Return whether the process `pid` exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def keep(base: Path, pid: int) -> None:
    """Run the servers below `base` until process `pid` ends."""
    settings = {**FORGETFUL, "databases": "64"}
    with PostgresServer(base, FAST) as postgres, ValkeyServer(base, settings) as valkey:
        draft = base / "servers.draft"
        draft.touch(mode=0o600)
        draft.write_text(json.dumps({"postgres": postgres.url(), "valkey": valkey.url()}))
        draft.rename(base / "servers.json")
        with contextlib.suppress(KeyboardInterrupt):
            while alive(pid):
                time.sleep(LOOK_EVERY)
    shutil.rmtree(base, ignore_errors=True)
    if postgres.home != base:
        shutil.rmtree(postgres.home, ignore_errors=True)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), int(sys.argv[2]))
