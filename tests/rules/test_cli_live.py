"""Watching a run in a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from taxiway.cli import results
from taxiway.cli.output import Output
from taxiway.cli.views import LiveView, NdjsonView, PlainView, view
from taxiway.client import Event


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def output(screen: io.StringIO) -> Output:
    made = Output(as_json=False)
    made.console = Console(file=screen, force_terminal=True, width=100, highlight=False, markup=False, emoji=False)
    return made


def test_the_view_fits_where_the_output_goes(output: Output) -> None:
    assert isinstance(view(output, "greet"), LiveView)
    assert isinstance(view(Output(as_json=False), "greet"), PlainView)
    assert isinstance(view(Output(as_json=True), "greet"), NdjsonView)


def test_progress_moves_a_bar_and_everything_else_scrolls_above_it(output: Output, screen: io.StringIO) -> None:
    with LiveView(output, "greet [bold]x") as live:
        live.show(Event("start", 1, {}))
        live.show(Event("progress", None, {"done": 3, "total": 64, "note": "[red]rich\x1b[2J"}))
        live.show(Event("log", None, {"level": "info", "message": "[red]hello\x1b[2J"}))
        live.show(Event("step", 2, {"step": {"name": "read", "status": "failed", "attempts": 2}}))
    shown = screen.getvalue()
    for text in ("greet [bold]x", "3/64", "[red]rich�[2J", "[red]hello�[2J", "✗ read failed (attempt 2)"):
        assert text in shown
    assert "\x1b[2J" not in shown


@pytest.mark.parametrize("data", [{}, {"done": 1}, {"note": "x"}, {"done": 5, "total": 0}, {"done": 1.5, "total": 3}])
def test_progress_of_any_shape_is_shown(output: Output, data: dict[str, object]) -> None:
    with LiveView(output, "greet") as live:
        live.show(Event("progress", None, data))


def test_a_markdown_member_is_shown_as_markdown(output: Output, screen: io.StringIO) -> None:
    results.show(
        output, {"markdown": "# Audit\n\n| name | licence |\n|---|---|\n| rich | MIT |\n\n[x](http://evil)\x1b[2J"}
    )
    shown = screen.getvalue()
    assert "# Audit" not in shown
    assert "Audit" in shown
    assert "rich" in shown
    assert "http://evil" in shown
    assert "\x1b[2J" not in shown


def test_another_result_is_shown_as_json_and_not_endlessly(output: Output, screen: io.StringIO) -> None:
    results.show(output, {"text": "x" * 50_000})
    assert "more characters: use --save or --json" in screen.getvalue()
    assert len(screen.getvalue()) < 25_000
