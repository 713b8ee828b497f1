"""Arguments and their results: inputs, durations, results in files, text on a screen."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from taxiway.cli import inputs, results
from taxiway.cli.lines import amount, describe, took
from taxiway.cli.options import read_duration
from taxiway.cli.output import clean
from taxiway.client import Event


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("3", 3),
        ("-1.5e3", -1500.0),
        ("true", True),
        ("null", None),
        ('"3"', "3"),
        ('["a", {"b": 1}]', ["a", {"b": 1}]),
        ("hello", "hello"),
        ("", ""),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("{broken", "{broken"),
        ("[" * 100_000, "[" * 100_000),
        ("a=b", "a=b"),
    ],
)
def test_a_value_is_json_where_it_is_json_else_text(typed: str, expected: Any) -> None:
    assert inputs.read_input(None, [f"key={typed}"]) == {"key": expected}


def test_pairs_are_laid_over_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.json").write_text('{"a": 1, "b": 2}')
    assert inputs.read_input(f"@{tmp_path / 'in.json'}", ["b=3"]) == {"a": 1, "b": 3}
    monkeypatch.setattr("sys.stdin", io.StringIO('{"c": "ü"}'))
    assert inputs.read_input("@-", []) == {"c": "ü"}
    assert inputs.read_input(None, []) == {}


@pytest.mark.parametrize("document", ["[1]", "3", "{", "@missing.json", "@.", ""])
def test_what_is_no_input_object_is_refused(document: str) -> None:
    with pytest.raises(typer.BadParameter):
        inputs.read_input(document, [])


@pytest.mark.parametrize("pair", ["novalue", "=x", ""])
def test_what_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(typer.BadParameter, match="key=value"):
        inputs.read_input(None, [pair])
    with pytest.raises(typer.BadParameter, match="key=value"):
        inputs.read_metadata([pair])


def test_metadata_stays_text() -> None:
    assert inputs.read_metadata(["a=1", "b=x=y"]) == {"a": "1", "b": "x=y"}
    assert inputs.read_metadata([]) is None


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("1.5", 1.5), ("15m", 900), ("PT15M", 900), ("1h30m", 5400)]
)
def test_durations(text: str, expected: float) -> None:
    assert read_duration(text) == expected


@pytest.mark.parametrize("text", ["soon", "", "-5", "15 minutes", "nan"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_duration(text)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"markdown": "# Hi", "json": {"n": 1}, "total": 1}, {"report.md": "# Hi\n", "report.json": {"n": 1}}),
        ({"markdown": "# Hi\n"}, {"report.md": "# Hi\n"}),
        ({"json": None}, {"report.json": None}),
        ({"markdown": 3}, {"result.json": {"markdown": 3}}),
        ([1, "ü\ud800"], {"result.json": [1, "ü\ud800"]}),
        (None, {"result.json": None}),
    ],
)
def test_a_result_is_saved_by_its_members(result: Any, expected: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    results.prepare(folder)
    written = results.save(result, folder)
    assert sorted(path.name for path in written) == sorted(path.name for path in folder.iterdir()) == sorted(expected)
    for name, content in expected.items():
        text = (folder / name).read_text("utf-8")
        assert (text if name.endswith(".md") else json.loads(text)) == content


def test_a_folder_that_cannot_be_made_is_noticed_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(typer.BadParameter, match="cannot create"):
        results.prepare(tmp_path / "file" / "folder")


def test_words_of_an_agent_cannot_steer_the_terminal() -> None:
    assert (
        clean("a\x1b[2Jb\x07\r\nc\td\x9b31m\u202ee\ud800") == "a⟨U+001B⟩[2Jb⟨U+0007⟩\nc\td⟨U+009B⟩31m⟨U+202E⟩e⟨U+D800⟩"
    )


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("start", {}, "started"),
        ("status", {"from": "QUEUED", "to": "RUNNING", "reason": "recovered"}, "RUNNING (recovered)"),
        ("step", {"step": {"name": "a", "status": "succeeded", "attempts": 1, "durationMs": 12}}, "✓ a (12 ms)"),
        (
            "step",
            {"step": {"name": "a", "status": "failed", "attempts": 3, "error": {"message": "no"}}},
            "✗ a failed (attempt 3): no",
        ),
        ("log", {"level": "warning", "message": "[red]careful"}, "warning: [red]careful"),
        ("agent", {"type": "found", "data": {"n": 1}, "runId": "x"}, 'found {"data": {"n": 1}}'),
        (
            "run_approval",
            {
                "waitId": "w1",
                "prompt": "Ship it?",
                "approvalUrl": "http://a",
                "details": {"n": 1},
                "choices": ["by sea", "air"],
            },
            """waits for Ship it?: http://a
{"n": 1}
taxiway approve w1 --choice 'by sea'   (or: air)
taxiway deny w1""",
        ),
        (
            "run_approval",
            {"waitId": "w1", "prompt": "Where to?", "answer": {"type": "string"}},
            "waits for Where to?\ntaxiway answer w1 VALUE",
        ),
        (
            "run_action",
            {"decision": "approve", "choice": "air", "by": "ann", "comment": "go"},
            "approved: air by ann (go)",
        ),
        ("run_action", {"decision": "deny", "by": "link"}, "denied by link"),
        ("run_action", {"decision": "answer", "by": "ann"}, "answered by ann"),
        ("run_action", {"decision": "expire"}, "not decided in time"),
        ("authentication", {"authUrl": "http://a"}, "waits for authorization: http://a"),
        ("not_known_yet", {"x": 1, "timestamp": "t"}, 'not_known_yet {"x": 1}'),
    ],
)
def test_each_event_in_a_line(kind: str, data: dict[str, Any], expected: str) -> None:
    line = describe(Event(kind, 1, data))
    assert line is not None
    assert line.text == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [({"done": 3, "total": 64, "note": "rich"}, "3/64 rich"), ({"done": 3}, "3"), ({"note": "x"}, "x"), ({}, "")],
)
def test_progress_in_words(data: dict[str, Any], expected: str) -> None:
    assert amount(data) == expected


@pytest.mark.parametrize(
    ("ms", "expected"),
    [(None, ""), (0, "0 ms"), (999, "999 ms"), (1234, "1.2 s"), (59_999, "60.0 s"), (125_000, "2 min 5 s")],
)
def test_durations_in_words(ms: float | None, expected: str) -> None:
    assert took(ms) == expected
