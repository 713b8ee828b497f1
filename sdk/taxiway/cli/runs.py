"""Commands that read runs: `runs`, `show`, `steps`, `logs`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Timer
from typing import Annotated, Any

import typer

from taxiway.cli import inputs, lines, options, results
from taxiway.cli.output import Output, local_time
from taxiway.cli.watch import explain
from taxiway.client import RunView, StepView

PATIENCE_SECONDS = 2.0


def runs(
    *,
    status: Annotated[list[str] | None, typer.Option("--status", help="Such as RUNNING; may be repeated.")] = None,
    category: Annotated[
        str | None, typer.Option("--category", help="processing, awaiting, paused or terminal.", show_default=False)
    ] = None,
    agent: Annotated[str | None, typer.Option("--agent", show_default=False)] = None,
    queue: Annotated[str | None, typer.Option("--queue", show_default=False)] = None,
    tag: Annotated[str | None, typer.Option("--tag", show_default=False)] = None,
    metadata: Annotated[list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE")] = None,
    user_id: Annotated[str | None, typer.Option("--user-id", show_default=False)] = None,
    parent: Annotated[
        str | None, typer.Option("--parent", metavar="RUN", help="Only children of this run.", show_default=False)
    ] = None,
    created_after: Annotated[
        str | None, typer.Option("--created-after", metavar="TIME", help="RFC 3339.", show_default=False)
    ] = None,
    created_before: Annotated[
        str | None, typer.Option("--created-before", metavar="TIME", help="RFC 3339.", show_default=False)
    ] = None,
    limit: options.Limit = 20,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """List runs, newest first."""
    output = Output(as_json)
    with options.connect(url, api_key) as client, _patience(output):
        found = list(
            client.runs(
                status=[name.upper() for name in status or ()],
                category=category,
                agent=agent,
                queue=queue,
                tag=tag,
                metadata=inputs.read_metadata(metadata or ()),
                user_id=user_id,
                parent_run_id=parent,
                created_after=created_after,
                created_before=created_before,
                limit=limit,
            )
        )
    if as_json:
        output.document({"runs": [dict(run.raw) for run in found]})
    else:
        output.table(("run", "status", "agent", "steps", "created", "active"), map(_row, found))


def show(
    run: options.RunId,
    *,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Show one run with its status, and its error or result."""
    output = Output(as_json)
    with options.connect(url, api_key) as client:
        seen = client.run(run).get()
    if as_json:
        output.document(dict(seen.raw))
        return
    for name, value in _facts(seen):
        if value not in (None, "", ()):
            output.line(f"{name:<10} {lines.under(str(value), ' ' * 11)}")
    if seen.result is not None:
        output.line("")
        results.show(output, seen.result)


def steps(
    run: options.RunId,
    *,
    outputs: Annotated[bool, typer.Option("--outputs", help="With --json: include the results of steps.")] = False,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """List the steps of a run."""
    output = Output(as_json)
    with options.connect(url, api_key) as client:
        found = list(client.run(run).steps(outputs=outputs))
    if as_json:
        output.document({"steps": [dict(step.raw) for step in found]})
    else:
        output.table(("step", "status", "attempts", "finished", "took"), map(_step_row, found))


def logs(
    run: options.RunId,
    *,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Print the log of a run."""
    output = Output(as_json)
    with options.connect(url, api_key) as client:
        found = client.run(run).logs()
        if as_json:
            output.document({"logs": [dict(line.raw) for line in found]})
            return
        for line in found:
            where = f" [{line.step}]" if line.step else ""
            output.line(f"{local_time(line.at) or '-'} {line.level}{where} {lines.under(line.message)}")


@contextmanager
def _patience(output: Output) -> Iterator[None]:
    """Explain a slow search to a person at the terminal."""
    note = Timer(PATIENCE_SECONDS, output.note, ["Few runs match: searching further back. Ctrl-C stops."])
    note.daemon = True
    if output.is_live:
        note.start()
    try:
        yield
    finally:
        note.cancel()


def _row(run: RunView) -> tuple[object, ...]:
    active = lines.took(run.active_ms or None)
    return (run.id, run.status, run.agent, run.steps_total, local_time(run.created_at), active)


def _step_row(step: StepView) -> tuple[object, ...]:
    finished = f"{step.finished_at.astimezone():%H:%M:%S}" if step.finished_at else ""
    return (step.name, step.status, step.attempts, finished, lines.took(step.duration_ms))


def _awaited(wait: Mapping[str, Any]) -> str:
    """Return what a run waits for: the question and its link, or the awaited signal or child."""
    child = f"{wait['agent']} {wait['childRunId']}" if wait.get("childRunId") else None
    what = child or wait.get("prompt") or wait.get("provider") or wait.get("signal")
    what = what or wait.get("reason") or wait.get("message")
    link = wait.get("approvalUrl") or wait.get("authUrl")
    said = f"{wait.get('kind')}: {what}" if what else str(wait.get("kind"))
    return f"{said} - {link}" if link else said


_MOST_AWAITED = 20
_RELATIVES = {"parent": "parentRunId", "retry of": "retryOf", "successor": "continuedAs"}


def _facts(run: RunView) -> list[tuple[str, object]]:
    in_flight = run.step_in_flight
    return [
        ("run", run.id),
        ("agent", run.agent),
        ("status", f"{run.status} ({run.reason})" if run.reason else run.status),
        ("error", explain(run.error) if run.error else None),
        *(("waits for", _awaited(wait)) for wait in run.awaits[:_MOST_AWAITED]),
        ("queue", run.queue),
        ("steps", run.steps_total),
        ("in flight", in_flight.get("name") if isinstance(in_flight, dict) else in_flight),
        *((name, run.raw.get(member)) for name, member in _RELATIVES.items()),
        ("key", f"{run.concurrency_key} ({run.on_conflict})" if run.concurrency_key else None),
        ("created", local_time(run.created_at)),
        ("not before", local_time(run.not_before)),
        ("expires", local_time(run.expires_at) if run.status == "QUEUED" else None),
        ("active", lines.took(run.active_ms or None)),
        ("user", run.user_id),
        ("tags", ", ".join(run.tags)),
        ("metadata", ", ".join(f"{name}={value}" for name, value in run.metadata.items())),
    ]
