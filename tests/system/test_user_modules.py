"""Agents in an environment of their own: modules named like ours beside them, another virtual environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.live import Live

ROOT = Path(__file__).resolve().parents[2]
OWN = ("models", "api", "executor", "scheduler", "ops")
BESIDE = """
import api
import executor
import models
import ops
import scheduler
from taxiway import Run, agent


def own(name: str) -> dict[str, str]:
    module = globals()[name]
    return {"whose": module.WHOSE, "file": module.__file__}


@agent
def beside(run: Run) -> dict[str, dict[str, str]]:
    return {name: run.step(own, name) for name in ("models", "api", "executor", "scheduler", "ops")}
"""
ELSEWHERE = """
import importlib
import os
import sys

from taxiway import Run, agent


def look(names: list[str]) -> dict[str, object]:
    missing = []
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing.append(error.name)
    here = {"prefix": sys.prefix, "directory": os.getcwd(), "missing": missing}
    return {**here, "settings": [name for name in os.environ if name.startswith("TAXIWAY_")]}


@agent(queue="elsewhere")
def elsewhere(run: Run, names: list[str]) -> dict[str, object]:
    return run.step(look, names)
"""


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an agents file with modules named like ours beside it."""
    folder = tmp_path_factory.mktemp("beside")
    for name in OWN:
        (folder / f"{name}.py").write_text("WHOSE = 'the user'\n")
    (folder / "my_agents.py").write_text(BESIDE)
    return folder / "my_agents.py"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a virtual environment that has only `taxiway`, built from our sources."""
    folder = tmp_path_factory.mktemp("environment")
    # Built beside a copy: pip leaves its traces in the folder that it builds from.
    sources = shutil.copytree(ROOT / "sdk", folder / "sdk", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    environment = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=60)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(environment / "bin" / "python")]
    installed = subprocess.run(
        [*pip, "install", "-q", "--no-deps", str(sources)], check=False, capture_output=True, text=True, timeout=90
    )
    assert installed.returncode == 0, installed.stderr
    return environment / "bin" / "python"


@pytest.fixture(scope="module")
def live(stack: Any, beside: Path, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    file = tmp_path_factory.mktemp("elsewhere") / "their_agents.py"
    file.write_text(ELSEWHERE)
    with Live(stack(agents=str(beside), workers=1, slots=1)) as live:
        theirs = {"TAXIWAY_AGENTS": str(file), "TAXIWAY_AGENT_PYTHON": str(python)}
        live.stack.fleet.start_worker(2, queue="elsewhere", slots=1, env=theirs)
        live.until(lambda: "elsewhere" in agents(live), "the other worker serves its agent")
        yield live


def agents(live: Live) -> set[str]:
    return {agent["name"] for agent in live.http.get("/v1/agents").json()["agents"]}


def test_agents_with_modules_beside_them_that_are_named_like_ours_get_their_own(live: Live, beside: Path) -> None:
    ended = live.end(live.enqueue("beside"))
    assert ended["status"] == "SUCCESS", ended["error"]
    own = {name: {"whose": "the user", "file": str(beside.with_name(f"{name}.py"))} for name in OWN}
    assert ended["result"] == own


def test_agents_of_another_environment_run_there_and_see_neither_our_packages_nor_our_modules(
    live: Live, python: Path
) -> None:
    ours = [*OWN, "httpx", "celery", "psycopg", "sqlmodel", "typer"]
    assert all((ROOT / name).is_dir() for name in OWN), "these are packages of ours, in the worker's own directory"
    ended = live.end(live.enqueue("elsewhere", {"names": [*ours, "taxiway"]}))
    assert ended["status"] == "SUCCESS", ended["error"]
    assert ended["queue"] == "elsewhere"
    assert ended["result"] == {
        "prefix": str(python.parent.parent),
        "directory": str(ROOT),
        "missing": ours,
        "settings": [],
    }
