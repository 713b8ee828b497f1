"""Spawner: starts all children from one thread that lives as long as the process.

The kernel sends the parent-death signal when the starting *thread* ends, not only when the process ends. A server started by a
short-lived thread would be stopped with it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

_lasting_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def spawn(
    argv: Sequence[str],
    output: IO[bytes],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `argv` in its own session, with both outputs to `output`, keeping the descriptors in `keep` open."""
    return _lasting_thread.submit(
        subprocess.Popen,
        argv,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        env=env,
        cwd=cwd,
        start_new_session=True,
        pass_fds=keep,
    ).result()
