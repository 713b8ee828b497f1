"""Printing and saving of a run's result: Markdown as Markdown, everything else as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import typer
from markdown_it.token import Token
from rich.console import JustifyMethod
from rich.markdown import Heading, Markdown, MarkdownElement

from taxiway.cli.output import Output, clean

SHOWN = 20_000


class _LeftHeading(Heading):
    """A left-aligned heading: Rich centres the first level."""

    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {}


class _CompactMarkdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "heading_open": _LeftHeading}

    def __init__(self, markdown: str) -> None:
        # hyperlinks=False prints addresses, so that a link cannot hide where it leads.
        super().__init__(markdown, hyperlinks=False)
        _clean(self.parsed)


def _clean(tokens: Iterable[Token]) -> None:
    """Clean the text after parsing, because `&#x202E;` in Markdown becomes the character itself."""
    for token in tokens:
        token.content = clean(token.content)
        token.attrs = {name: clean(given) if isinstance(given, str) else given for name, given in token.attrs.items()}
        _clean(token.children or ())


def show(output: Output, result: Any) -> None:
    """Print a result for people: its `markdown` member if it has one, otherwise indented JSON."""
    if result is None:
        return
    markdown = result.get("markdown") if isinstance(result, dict) else None
    if not isinstance(markdown, str):
        text = json.dumps(result, indent=2, ensure_ascii=False)
        output.line(
            text
            if len(text) <= SHOWN
            else f"{text[:SHOWN]}\n… {len(text) - SHOWN} more characters: use --save or --json"
        )
    elif output.is_live:
        output.console.print(_CompactMarkdown(markdown))
    else:
        output.line(markdown.rstrip("\n"))


def prepare(folder: Path | None) -> None:
    """Create the folder for the result before anything runs, so that a wrong one fails first."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"cannot create {folder}: {error.strerror}", param_hint="--save") from error


def save(result: Any, folder: Path) -> list[Path]:
    """Write a result into a folder: report.md and report.json if it has these members, otherwise result.json."""
    written = []
    try:
        for name, text in _files(result):
            (folder / name).write_text(text, "utf-8", errors="backslashreplace")
            written.append(folder / name)
    except OSError as error:
        raise typer.BadParameter(f"cannot write into {folder}: {error.strerror}", param_hint="--save") from error
    return written


def _files(result: Any) -> Iterator[tuple[str, str]]:
    members = result if isinstance(result, dict) else {}
    markdown = members.get("markdown")
    if isinstance(markdown, str):
        yield "report.md", markdown if markdown.endswith("\n") else f"{markdown}\n"
    if "json" in members:
        yield "report.json", _json(members["json"])
    if not isinstance(markdown, str) and "json" not in members:
        yield "result.json", _json(result)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
