"""A failing test shows the runs that it has played, with and without the fixture of the SDK."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest
from taxiway import Run, agent
from taxiway.testing import approve, play


def age() -> int:
    return "old"


@agent
def ages(run: Run):
    return run.step(age)


@agent
def refund(run: Run, amount: float) -> str:
    run.approve(f"Refund {amount}?")
    return "paid"


def test_good(taxiway_play):
    assert taxiway_play(refund, amount=1.0, given=[approve()]).result == "paid"


def test_bad(taxiway_play):
    assert taxiway_play(refund, amount=2.0, given=[approve()]).result == "refused"


def test_unanswered(taxiway_play):
    taxiway_play(refund, amount=3.0)


def test_status():
    assert play(ages).status == "SUCCESS"
"""


def pytest_in(folder: Path, code: str, *options: str) -> str:
    (folder / "test_mine.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:valkey", *options, str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def test_the_fixture_is_there_and_a_failing_test_shows_what_was_played(tmp_path: Path) -> None:
    said = pytest_in(tmp_path, TESTS)
    assert "3 failed, 1 passed" in said
    assert "Taxiway runs played" in said
    assert "<Outcome SUCCESS: 'paid'; asked: 'Refund 2.0?' approved>" in said
    assert "<Outcome PAUSED (waiting); asked: 'Refund 3.0?' (no answer)>" in said
    assert re.search(
        r"^<Outcome FAILED \(invalid_output\): InvalidValue: step 'age' -> int returned \$: expected int, got 'old'; "
        r"see \S+test_mine\.py:7, in step 'age'; steps: age failed>$",
        said,
        re.MULTILINE,
    ), said
    assert said.count("Taxiway runs played") == 3
    assert "Refund 1.0?" not in said, "a test that passes shows nothing"


def test_it_loads_nothing_for_tests_that_do_not_ask_for_it(tmp_path: Path) -> None:
    said = pytest_in(tmp_path, "import sys\n\n\ndef test():\n    assert 'taxiway.testing' not in sys.modules\n")
    assert "1 passed" in said, said
