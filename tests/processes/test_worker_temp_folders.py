"""Each host has its own temporary folder, which ends with it, even if its worker was killed."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from executor.hosts import HostPool
from executor.hosts.temp_folders import TempFolders, remove_leftovers
from tests.conftest import ROOT
from tests.processes.carrying import carry, until

WRITES = """
    import tempfile

    @agent
    def echo(run: Run) -> list:
        made = Path(tempfile.mkdtemp())
        (made / "link").symlink_to(__file__)
        return [str(made.parent), made.parent.stat().st_mode & 0o777]
"""


def test_temporary_files_of_a_host_end_with_it(pool_of: Callable[..., HostPool]) -> None:
    pool = pool_of(WRITES)
    pool.start()
    folders = []
    for tenant in ("acme", "other"):
        host = pool.take(tenant)
        folder, mode = json.loads(carry(host, "r.1")["value"])
        assert mode == 0o700
        folders.append(Path(folder))
        assert folders[-1].is_dir()
        pool.discard(host)
        until(lambda: not folders[-1].exists(), "it is removed")
    assert folders[0] != folders[1]
    pool.stop()
    assert not folders[0].parent.exists()
    assert Path(pool._settings.agents).exists(), "no link was followed"


def test_the_folders_of_a_killed_worker_are_removed_by_the_next_and_those_of_a_living_one_stay() -> None:
    code = """
        import time
        from executor.hosts.temp_folders import TempFolders
        print(TempFolders(others_enter=False).make(None), flush=True)
        time.sleep(600)
    """
    killed = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    living = TempFolders(others_enter=False)
    mine = living.make(None)
    assert killed.stdout is not None
    left = Path(killed.stdout.readline().strip())
    remove_leftovers()
    assert left.is_dir()
    killed.kill()
    killed.communicate()
    remove_leftovers()
    assert not left.parent.exists()
    assert mine.is_dir()
    living.close()
    assert not mine.parent.exists()
