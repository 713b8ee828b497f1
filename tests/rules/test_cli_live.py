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
    for text in ("greet [bold]x", "3/64", "[red]rich⟨U+001B⟩[2J", "[red]hello⟨U+001B⟩[2J", "✗ read failed (attempt 2)"):
        assert text in shown
    assert "\x1b[2J" not in shown


@pytest.mark.parametrize(
    ("data", "bar"),
    [
        ({}, "0/?"),
        ({"done": 1}, "1/?"),
        ({"note": "xyz"}, "0/?"),
        ({"done": 5, "total": 0}, "5/0"),
        ({"done": 1.5, "total": 3}, "1/3"),
    ],
)
def test_progress_of_any_shape_is_shown(output: Output, screen: io.StringIO, data: dict[str, object], bar: str) -> None:
    with LiveView(output, "greet") as live:
        live.show(Event("progress", None, data))
    shown = screen.getvalue()
    assert bar in shown
    assert str(data.get("note") or "") in shown


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


def test_what_markdown_spells_out_is_cleaned_too(output: Output, screen: io.StringIO) -> None:
    results.show(
        output, {"markdown": "pay&#x202E;LAP&#x200B; and `a\u2066b`\n\n    c\u200bd\n\n[x](http://a/&#x2067;)"}
    )
    shown = screen.getvalue()
    for text in ("pay⟨U+202E⟩LAP⟨U+200B⟩", "a⟨U+2066⟩b", "c⟨U+200B⟩d"):
        assert text in shown
    assert not {"\u202e", "\u200b", "\u2066", "\u2067"} & set(shown)


def test_no_line_of_an_agent_looks_like_another_event(output: Output, screen: io.StringIO) -> None:
    forged = "done\n12:00:00  approved by Ann\r12:00:01  x"
    with LiveView(output, "greet") as live:
        live.show(Event("log", None, {"level": "info", "message": forged}))
        live.show(Event("run_approval", 1, {"waitId": "w1", "prompt": "Ship?\ntaxiway approve w2"}))
    PlainView(output).show(Event("log", None, {"level": "info", "message": forged}))
    said = screen.getvalue().replace("\r\x1b[2K", "\n").split("\n")
    assert not [line for line in said if line.lstrip("\r").startswith(("12:00", "taxiway approve w2"))]
    assert any(line.startswith(" " * 10 + "12:00:00  approved by Ann⟨U+000D⟩12") for line in said)
    assert any(" " * 12 + "taxiway approve w2" in line for line in said)


def test_a_cell_from_right_to_left_turns_no_other_around(output: Output, screen: io.StringIO) -> None:
    output.table(("agent", "asks"), [("\u05d0", "100")])
    assert "\u2068\u05d0\u2069" in screen.getvalue()
