"""`taxiway watch`: shows a run until it ends, then its result; the exit code is the run's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from taxiway.cli import exits, lines, options, results
from taxiway.cli.output import Output
from taxiway.cli.views import view
from taxiway.client import RunError, RunHandle

# Shorter than the client's default: a person waits for the command.
PATIENCE = 60.0

Save = Annotated[
    Path | None,
    typer.Option(
        "--save",
        metavar="DIR",
        help="Write the result into this folder: report.md and report.json, or result.json.",
        show_default=False,
    ),
]


def watch(
    run: options.RunId,
    *,
    save: Save = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Follow a run live until it ends; the exit code is its outcome. Ctrl-C stops watching, not the run."""
    results.prepare(save)
    output = Output(as_json)
    with options.connect(url, api_key) as client:
        handle = client.run(run)
        follow(handle, handle.get().agent, output, save)


def follow(handle: RunHandle, title: str, output: Output, save: Path | None) -> None:
    """Show a run until it ends; raise typer.Exit with its exit code."""
    end: Mapping[str, Any] = {}
    try:
        with view(output, title) as shown:
            for event in handle.events(patience=PATIENCE):
                shown.show(event)
                if event.type == "end":
                    end = event.data
    except KeyboardInterrupt:
        output.note(
            f"\nStopped watching; the run continues.\n"
            f"  continue: taxiway watch {handle.id}\n  cancel:   taxiway cancel {handle.id}"
        )
        raise typer.Exit(exits.Exit.INTERRUPTED) from None
    raise typer.Exit(_finish(handle, end, output, save))


def _finish(handle: RunHandle, end: Mapping[str, Any], output: Output, save: Path | None) -> exits.Exit:
    status = str(end.get("status") or end.get("runStatus") or "")
    result = end.get("result")
    if not status or (status == "SUCCESS" and "result" not in end):
        run = handle.get()
        status, result = run.status, run.result
    if not output.as_json:
        _say(output, status, end)
        results.show(output, result)
    if save is not None and status == "SUCCESS":
        for path in results.save(result, save):
            output.note(f"Saved {path}")
    return exits.of_status(status)


def _say(output: Output, status: str, end: Mapping[str, Any]) -> None:
    error = RunError.read(end.get("error"))
    style = {"SUCCESS": "bold green", "CANCELED": "bold yellow"}.get(status, "bold red")
    text = status
    if error is not None and status != "SUCCESS":
        text += f" {explain(error)}"
    elif end.get("reason"):
        text += f" ({end['reason']})"
    if end.get("durationMs") is not None:
        text += f" after {lines.took(end['durationMs'])}"
    output.line(text, style)


def explain(error: RunError) -> str:
    """Return an error as one phrase: code, step, and the exception."""
    where = f" in step {error.step}" if error.step else ""
    tries = f" after {error.attempts} attempts" if error.attempts and error.attempts > 1 else ""
    kind = f"{error.type}: " if error.type else ""
    return f"{error.code}{where}{tries}: {kind}{error.message}".rstrip(": ")
