"""Workers and schedulers start quickly: they read tables by SQL, and import only what they use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ops.stack.fleet import ROOT

HEAVY = ("sqlalchemy", "sqlmodel", "alembic", "fastapi", "authlib")
"""What the API needs. SQLAlchemy alone is half of the time that a worker took to start."""


@pytest.mark.parametrize("module", ["executor.app", "scheduler.__main__"])
def test_a_worker_and_a_scheduler_import_nothing_of_the_api(module: str) -> None:
    code = f"import importlib, sys; importlib.import_module({module!r}); print(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
