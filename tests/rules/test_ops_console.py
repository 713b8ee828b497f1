"""Words of agents in the output of `make up` and `make demo` control the terminal no more than in the command line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ops import console, demo_answer


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    shown = io.StringIO()
    made = Console(file=shown, force_terminal=True, width=200, highlight=False, markup=False, emoji=False)
    monkeypatch.setattr(console, "console", made)
    monkeypatch.setattr(demo_answer, "console", made)
    return shown


def test_a_log_keeps_its_colours_and_loses_every_other_escape(screen: io.StringIO, tmp_path: Path) -> None:
    (tmp_path / "worker-1.log").write_text(
        "\x1b[31m[error]\x1b[0m plain\n[error] \x1b[2J\x1b]8;;http://a\x1b\\x\u202ey\rz\n"
    )
    follower = console.LogFollower(tmp_path, verbose=True)
    for line in follower._new_lines(tmp_path / "worker-1.log"):
        follower._print("worker-1", line)
    shown = screen.getvalue()
    assert "\x1b[31m[error]\x1b[0m plain" in shown
    assert "⟨U+001B⟩[2J⟨U+001B⟩]8;;http://a⟨U+001B⟩\\x⟨U+202E⟩y" in shown
    assert [escape for escape in ("\x1b[2J", "\x1b]8", "\u202e", "\r") if escape in shown] == []


def test_the_details_of_a_question_are_cleaned(screen: io.StringIO) -> None:
    demo_answer._show([{"na\u200bme": "\x1b[2Jx\u2066y"}])
    assert "na⟨U+200B⟩me" in screen.getvalue()
    assert "⟨U+001B⟩[2Jx⟨U+2066⟩y" in screen.getvalue()
