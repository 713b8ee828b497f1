"""`taxiway enqueue`: hand a run to the server, and follow it where asked."""

from typing import Annotated, Literal

import typer

from taxiway.cli import inputs, options, results
from taxiway.cli.output import Output
from taxiway.cli.watch import Save, follow
from taxiway.client import RunHandle

Strategy = Literal["NONE", "ON_START", "ON_TOOL_CALL"]


def enqueue(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.")],
    *,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "-i", metavar="KEY=VALUE", help="One input; the value is read as JSON where it is JSON, else as text."
        ),
    ] = None,
    document: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="JSON", help="The input object as JSON, @file, or @- for stdin.", show_default=False
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the run live; exit with its outcome.")] = False,
    save: Save = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option("--idempotency-key", help="The same key and request make one run only.", show_default=False),
    ] = None,
    queue: Annotated[str | None, typer.Option("--queue", help="Default: the agent's own.", show_default=False)] = None,
    window: Annotated[
        str | None, typer.Option("--window", help="Go on only while this window is open.", show_default=False)
    ] = None,
    priority: Annotated[
        int | None, typer.Option("--priority", min=-100, max=100, help="Higher goes first.", show_default=False)
    ] = None,
    timeout: Annotated[
        float | None, options.duration_option("--timeout", "How long the run may be active, such as 90s or 15m.")
    ] = None,
    user_id: Annotated[
        str | None, typer.Option("--user-id", help="On whose behalf the run acts.", show_default=False)
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="A label to find the run by.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag to find the run by.")] = None,
    approval_strategy: Annotated[
        Strategy | None,
        typer.Option(
            "--approval-strategy", help="Whom to ask: nobody, before it begins, or before each call of a tool."
        ),
    ] = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Enqueue a run of AGENT. Prints its id; --watch (or --save) follows it to its end."""
    given = inputs.read_input(document, pairs or ())
    labels = inputs.read_metadata(metadata or ())
    results.prepare(save)
    output = Output(as_json)
    with options.connect(url, api_key) as client:
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
        )
        if watch or save is not None:
            if not as_json:
                output.line(f"{_made(handle)} {agent} {handle.id}")
            follow(handle, agent, output, save)
        report(output, agent, handle)


def report(output: Output, agent: str, handle: RunHandle) -> None:
    """Say which run was made."""
    if output.as_json:
        assert handle.accepted is not None  # enqueue() always sets it
        output.document(dict(handle.accepted.run.raw))
    elif output.is_live:
        output.line(f"{_made(handle)} {agent} {handle.id}\nFollow it with: taxiway watch {handle.id}")
    else:
        output.line(handle.id)  # the bare id, for RUN=$(taxiway enqueue …)


def _made(handle: RunHandle) -> str:
    return "Already enqueued:" if handle.accepted and handle.accepted.replayed else "Enqueued"
