"""`make demo`: starts everything, runs the sample agent once on real input, with a question, and stops everything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table
from taxiway import Client
from taxiway.cli.output import Output
from taxiway.cli.results import save
from taxiway.cli.views import view
from taxiway.client import Event, RunHandle, RunView, TaxiwayError
from taxiway.client.views import Json

from ops.console import complain, console, say
from ops.demo_answer import NotAnswered, answer
from ops.embedded import EmbeddedError
from ops.stack import Halt, Halted, Stack, StackError, StackOptions
from ops.stack.environment import with_password

AGENT = "license_audit"
ASK_ABOUT = ["strong copyleft", "unknown", "weak copyleft"]
"""Stricter than the agent's default, so that it always has a question in this environment."""
SAVED = Path("build/demo")
SHOWN = 8
"""Shown rows of the report."""
PATIENCE = 120.0
"""Timeout of the run in seconds."""


class DemoFailed(Exception):
    """The run did not end as expected; the message describes its end."""


def demo(options: StackOptions) -> int:
    """Return the exit code: 0 only if the run ended with a report of every distribution."""
    halt = Halt()
    halt.listen()
    stack = Stack(options, halt)
    say("Starting PostgreSQL, Valkey, API, scheduler, workers and Flower …")
    began = time.monotonic()
    try:
        with stack:
            say(f"Everything is up after {time.monotonic() - began:.1f} s. Enqueuing {AGENT} over HTTP.\n", "green")
            show(stack, run_sample(stack))
            say("\nStopping everything …")
    except Halted:
        complain("Stopped before the run ended.")
        return 130
    except (DemoFailed, NotAnswered, StackError, EmbeddedError, TaxiwayError) as error:
        complain(f"The demo failed. {error}")
        complain(f"The logs are in {stack.logs}.")
        return 1
    say("Done. `make up` starts everything again and keeps it running; this run is kept.")
    return 0


def run_sample(stack: Stack) -> RunView:
    """Enqueue the sample, show its events live, and return the finished run."""
    with Client(stack.url, api_key=stack.api_key) as client:
        handle = client.enqueue(AGENT, {"ask_about": ASK_ABOUT})
        follow(stack, handle)
        run = handle.get()
    if run.status != "SUCCESS":
        raise DemoFailed(f"Run {run.id} ended as {run.status}: {run.error or run.reason}.")
    return run


def follow(stack: Stack, handle: RunHandle) -> None:
    """Show a run live until it ends, and answer its questions."""
    events = handle.events(patience=PATIENCE)
    while (question := next_question(stack, handle, events)) is not None:
        answer(question, stack.look)


def next_question(stack: Stack, handle: RunHandle, events: Iterator[Event]) -> Json | None:
    """Show a run until it asks a question, and return that; None if it ends. Checks that all processes run."""
    deadline = time.monotonic() + PATIENCE
    with view(Output(as_json=False), AGENT) as shown:
        for event in events:
            if event.type == "run_approval":
                return event.data
            shown.show(event)
            stack.look()
            if time.monotonic() > deadline:
                raise DemoFailed(f"Run {handle.id} did not end within {PATIENCE:.0f} s.")
    return None


def show(stack: Stack, run: RunView) -> None:
    """Print the result, a summary of the run, and further addresses."""
    result: dict[str, Any] = run.result
    SAVED.mkdir(parents=True, exist_ok=True)
    saved = save(result, SAVED)
    say("\nLicences of the distributions in this environment:", "bold")
    counts = Table(box=None)
    counts.add_column("category")
    counts.add_column("distributions", justify="right")
    for category, count in result["counts"].items():
        counts.add_row(category, str(count))
    console.print(counts)
    if reviewed := result["reviewed"]:
        may = "may" if reviewed["approved"] else "may not"
        say(f"\nReviewed by {reviewed['by']}: {reviewed['distributions']} doubtful ones {may} stay.")
    say("\nFirst in the report, entries that need attention:", "bold")
    for row in result["json"]["distributions"][:SHOWN]:
        say(f"  {row['name']:<28} {row['version']:<12} {row['category']:<16} {row['licence'] or '?'}")
    say(f"\nThe whole report: {', '.join(map(str, saved))}")
    steps = run.steps_total or len(run.steps)
    say(f"Run {run.id} ended as {run.status}: {steps} steps, each recorded, in {milliseconds(run)} ms.")
    say(f"API documentation: {stack.url}/docs")
    say(f"Flower:            {with_password(stack.flower_url, stack.flower_auth)}")


def milliseconds(run: RunView) -> int:
    """Return the duration of the run, from its acceptance to its end."""
    assert run.created_at, "every run has a creation time"
    assert run.finished_at, "a finished run has an end time"
    return round((run.finished_at - run.created_at).total_seconds() * 1000)
