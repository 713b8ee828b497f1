"""Output of a command: one JSON document for machines, tables for terminals, plain lines for pipes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from taxiway.legible import isolated, legible


def clean(text: str) -> str:
    """Return foreign text safe to print: it controls no terminal, hides nothing, and reverses no text beside it."""
    return isolated(legible(text))


def local_time(at: datetime | None) -> str | None:
    """Return a time in the local zone."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}" if at else None


class Output:
    """Prints the output of one command."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False, markup=False, emoji=False)
        self.errors = Console(highlight=False, markup=False, emoji=False, stderr=True)

    @property
    def is_live(self) -> bool:
        """Whether the output goes to a terminal, for a person."""
        return self.console.is_terminal and not self.as_json

    def document(self, value: Any) -> None:
        """Print one JSON document on one line (ASCII, so that it survives any pipe)."""
        typer.echo(json.dumps(value))

    def say(self, document: Mapping[str, Any], sentence: str) -> None:
        """Print one answer: its document for machines, or its sentence for people."""
        if self.as_json:
            self.document(dict(document))
        else:
            self.line(sentence)

    def line(self, text: str, style: str = "") -> None:
        """Print a line, never wrapped or cut."""
        self.console.print(Text(clean(text), style=style), soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a line for people on stderr, beside the command's output."""
        self.errors.print(Text(clean(text)), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table; in a pipe, tab-separated lines under a heading, so that nothing is cut."""
        cells = [["" if cell is None else clean(str(cell)) for cell in row] for row in rows]
        if not self.is_live:
            for row in ([name.upper() for name in columns], *cells):
                typer.echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for index, name in enumerate(columns):
            table.add_column(name, no_wrap=index == 0, overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        self.console.print(table)
