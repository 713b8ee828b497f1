"""Views of a watched run: a progress bar in a terminal, lines in a pipe, NDJSON for machines."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from taxiway.cli import lines
from taxiway.cli.output import Output, clean
from taxiway.client import Event


class View(Protocol):
    """Shows the events of one run; a context manager that lasts as long as the watching."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, event: Event) -> None:
        """Show one event."""


class NdjsonView:
    """One JSON object per event: `{"event", "id", "data"}`."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, event: Event) -> None:
        """Print one event."""
        self._output.document({"event": event.type, "id": event.id, "data": event.data})


class PlainView:
    """One line per event with its time; at most one line of progress per second."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._progress_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, event: Event) -> None:
        """Print one event."""
        line = lines.describe(event)
        if event.type == "progress":
            now = time.monotonic()
            done = event.data.get("done") is not None and event.data.get("done") == event.data.get("total")
            if now - self._progress_at >= 1 or done:
                self._progress_at = now
                line = lines.Line(lines.amount(event.data))
        if line is not None:
            self._output.line(lines.at(event, line))


class LiveView:
    """A progress bar at the bottom; everything else scrolls above it."""

    def __init__(self, output: Output, title: str) -> None:
        self._title = clean(title)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[title]}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False, style="dim"),
            console=output.console,
            transient=True,
        )
        self._task: TaskID = self._progress.add_task("", total=None, title=self._title)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        """Move the bar, or print a line above it."""
        if event.type == "progress":
            data = event.data
            self._progress.update(
                self._task, completed=data.get("done"), total=data.get("total"), description=_short(data.get("note"))
            )
            return
        line = lines.describe(event)
        if line is not None:
            self._progress.console.print(Text(clean(lines.at(event, line)), style=line.style))


def view(output: Output, title: str) -> View:
    """Return the view for this output."""
    if output.as_json:
        return NdjsonView(output)
    return LiveView(output, title) if output.is_live else PlainView(output)


def _short(note: object) -> str:
    text = clean(str(note or "")).replace("\n", " ")
    return text if len(text) <= 40 else f"{text[:39]}…"
