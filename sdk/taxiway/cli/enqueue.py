"""`taxiway enqueue`: enqueues a run, and follows it on request."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from taxiway.cli import fitting, inputs, options, results
from taxiway.cli.output import Output
from taxiway.cli.watch import Save, follow
from taxiway.client import RunHandle

IdempotencyKey = Annotated[
    str | None,
    typer.Option("--idempotency-key", help="Equal requests with one key make one run.", show_default=False),
]
Window = Annotated[
    str | None, typer.Option("--window", help="Execute only while this window is open.", show_default=False)
]
Priority = Annotated[
    int | None, typer.Option("--priority", min=-100, max=100, help="Higher goes first.", show_default=False)
]
Timeout = Annotated[float | None, options.duration_option("--timeout", "Limit of active time, such as 90s or 15m.")]
NotBefore = Annotated[datetime | None, options.moment_option("--not-before", "The earliest start.")]
ExpiresIn = Annotated[
    float | None, options.duration_option("--expires-in", "Fail if it has not started after, such as 1h.")
]
Key = Annotated[
    str | None, typer.Option("--key", help="Runs with the same key execute one at a time.", show_default=False)
]
OnConflict = Annotated[
    Literal["queue", "skip", "cancel_running"] | None,
    typer.Option(
        "--on-conflict", help="If another run has the key: wait, be skipped, or cancel it.", show_default=False
    ),
]
UserId = Annotated[str | None, typer.Option("--user-id", help="The user for whom the run acts.", show_default=False)]
Metadata = Annotated[
    list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="A label to find the run by.")
]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag to find the run by.")]
Strategy = Annotated[
    Literal["NONE", "ON_START", "ON_TOOL_CALL"] | None,
    typer.Option("--approval-strategy", help="Ask for approval never, before the start, or before each tool call."),
]


def enqueue(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.")],
    *,
    pairs: options.Pairs = None,
    document: options.Document = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the run live; exit with its outcome.")] = False,
    save: Save = None,
    idempotency_key: IdempotencyKey = None,
    queue: options.Queue = None,
    window: Window = None,
    priority: Priority = None,
    timeout: Timeout = None,
    not_before: NotBefore = None,
    expires_in: ExpiresIn = None,
    key: Key = None,
    on_conflict: OnConflict = None,
    user_id: UserId = None,
    metadata: Metadata = None,
    tag: Tags = None,
    approval_strategy: Strategy = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Enqueue a run of AGENT and print its id; --watch (or --save) follows it to its end."""
    given = inputs.read_input(document, pairs or ())
    labels = inputs.read_metadata(metadata or ())
    results.prepare(save)
    output = Output(as_json)
    with options.connect(url, api_key) as client, fitting.explained(given, pairs or ()):
        given = fitting.fitted(client, agent, given, pairs or ())
        handle = client.enqueue(
            agent,
            given,
            idempotency_key=idempotency_key,
            user_id=user_id,
            queue=queue,
            window=window,
            priority=priority,
            timeout=timeout,
            metadata=labels,
            tags=tag or None,
            approval_strategy=approval_strategy,
            not_before=not_before,
            expires_in=expires_in,
            concurrency_key=key,
            on_conflict=on_conflict,
        )
        if watch or save is not None:
            _follow(output, agent, handle, save)
        report(output, agent, handle)


def _follow(output: Output, agent: str, handle: RunHandle, save: Path | None) -> None:
    """Print the id of the run, and show it to its end; raise typer.Exit with its exit code."""
    if not output.as_json:
        output.line(f"{_made(handle)} {agent} {handle.id}")
    follow(handle, agent, output, save)


def report(output: Output, agent: str, handle: RunHandle) -> None:
    """Print the run's document or id."""
    if output.as_json:
        assert handle.accepted is not None  # enqueue() always sets it
        output.document(dict(handle.accepted.run.raw))
    elif output.is_live:
        output.line(f"{_made(handle)} {agent} {handle.id}\nFollow it with: taxiway watch {handle.id}")
    else:
        output.line(handle.id)  # the bare id, for RUN=$(taxiway enqueue …)


def _made(handle: RunHandle) -> str:
    return "Already enqueued:" if handle.accepted and handle.accepted.replayed else "Enqueued"
