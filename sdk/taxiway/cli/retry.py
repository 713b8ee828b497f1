"""`taxiway retry`: retries an ended run, and follows the new one on request."""

from typing import Annotated

import typer

from taxiway.cli import inputs, options, results
from taxiway.cli.enqueue import report
from taxiway.cli.output import Output
from taxiway.cli.watch import Save, follow


def retry(
    run: options.RunId,
    *,
    from_step: Annotated[
        str | None,
        typer.Option("--from", metavar="STEP", help="Key or name of the first step to execute again.", show_default=False),
    ] = None,
    document: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="JSON", help="Another input, as JSON, @file, or @- for stdin; then no step is kept.",
            show_default=False,
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the new run live; exit with its outcome.")] = False,
    save: Save = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option("--idempotency-key", help="Equal requests with one key make one run.", show_default=False),
    ] = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:  # fmt: skip
    """Retry RUN as a new run that keeps its successful steps. Prints the new id; --watch follows the run to its end."""
    given = None if document is None else inputs.read_input(document, ())
    results.prepare(save)
    output = Output(as_json)
    with options.connect(url, api_key) as client:
        handle = client.run(run).retry(from_step=from_step, input=given, idempotency_key=idempotency_key)
        assert handle.accepted is not None  # retry() always sets it
        agent = handle.accepted.run.agent
        if watch or save is not None:
            if not as_json:
                output.line(f"Retrying {run} as {agent} {handle.id}")
            follow(handle, agent, output, save)
        report(output, agent, handle)
