"""Type checkers see the types of an agent's verbs and a client's handles, with taxiway installed as by `make`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).with_name("typed_example.py")
AGENTS = """
from taxiway import AsyncRun, Run, agent


def twice(n: int) -> int:
    return 2 * n


@agent
def plain(run: Run, n: int) -> int:
    return run.step(twice, n)


@agent
async def awaiting(run: AsyncRun, n: int) -> int:
    return await run.step(twice, n)
"""


def told(command: list[str], folder: Path) -> tuple[int, str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=110)
    return done.returncode, done.stdout + done.stderr


def mypy(file: Path, folder: Path) -> tuple[int, str]:
    """Check as an author without a configuration does: from another folder, with the environment's packages."""
    return told([sys.executable, "-m", "mypy", "--strict", "--config-file=", str(file)], folder)


def pyright(file: Path, folder: Path) -> tuple[int, str]:
    settings = {"typeCheckingMode": "strict", "include": [str(file)], "reportUnusedFunction": False}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "basedpyright", "--project", str(folder), "--pythonpath", sys.executable]
    return told(command, folder)


@pytest.mark.parametrize("check", [mypy, pyright])
def test_what_the_example_says_of_types_is_so(check: object, tmp_path: Path) -> None:
    assert callable(check)
    code, said = check(EXAMPLE, tmp_path)
    assert code == 0, said


@pytest.mark.parametrize("check", [mypy, pyright])
def test_a_checker_finds_taxiway_from_any_folder_and_sees_a_wrong_type(check: object, tmp_path: Path) -> None:
    assert callable(check)
    file = tmp_path / "my_agents.py"
    file.write_text(AGENTS)
    code, said = check(file, tmp_path)
    assert code == 0, said
    file.write_text(AGENTS.replace("n: int) -> int:\n    return run", "n: int) -> str:\n    return run"))
    code, said = check(file, tmp_path)
    assert code == 1, said
    assert '"int"' in said
    assert '"str"' in said
