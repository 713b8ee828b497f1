"""`taxiway bulk`: cancels, pauses, resumes or retries all runs of a filter, after showing their number."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from taxiway.cli import exits, inputs, options
from taxiway.cli.output import Output
from taxiway.client import BulkView, Client

# Shorter than the client's default: a person waits for the command.
PATIENCE = 60.0
_TRIED = {"cancel": "canceled", "pause": "paused", "resume": "resumed", "retry": "retried"}


def bulk(
    action: Annotated[Literal["cancel", "pause", "resume", "retry"], typer.Argument(metavar="ACTION", show_default=False)],
    *,
    status: Annotated[list[str] | None, typer.Option("--status", help="Such as FAILED; may be repeated.")] = None,
    category: Annotated[
        str | None, typer.Option("--category", help="processing, awaiting, paused or terminal.", show_default=False)
    ] = None,
    agent: Annotated[str | None, typer.Option("--agent", show_default=False)] = None,
    queue: Annotated[str | None, typer.Option("--queue", show_default=False)] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="May be repeated: all of them.")] = None,
    metadata: Annotated[list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE")] = None,
    user_id: Annotated[str | None, typer.Option("--user", "--user-id", show_default=False)] = None,
    parent: Annotated[
        str | None, typer.Option("--parent", metavar="RUN", help="Only children of this run.", show_default=False)
    ] = None,
    created_after: Annotated[
        str | None, typer.Option("--created-after", metavar="TIME", help="RFC 3339.", show_default=False)
    ] = None,
    created_before: Annotated[
        str | None, typer.Option("--created-before", metavar="TIME", help="RFC 3339.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the runs.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end; the server continues either way.")] = True,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:  # fmt: skip
    """Cancel, pause, resume or retry every run that exists now and meets all criteria. At least one criterion is needed."""
    where: dict[str, Any] = {
        "status": [name.upper() for name in status] if status else None, "category": category, "agent": agent, "queue": queue,
        "tag": tag or None, "metadata": inputs.read_metadata(metadata or ()), "user_id": user_id, "parent_run_id": parent,
        "created_after": created_after, "created_before": created_before,
    }  # fmt: skip
    output = Output(as_json)
    with options.connect(url, api_key) as client:
        counted = client.bulk(action, dry_run=True, **where)
        if dry_run or (not counted.matched and counted.counted_all):
            output.say(counted.raw, _count(counted))
            return
        if not yes and _is_interactive():
            _ask(counted)
        _report(output, _done(client, client.bulk(action, **where), output, wait=wait))


def _count(counted: BulkView) -> str:
    runs = f"{counted.matched:,} run{'' if counted.matched == 1 else 's'}"
    said = f"{runs} would be {_TRIED.get(counted.action, counted.action)}."
    return said if counted.counted_all else f"At least {said} There are more runs than the server counts."


def _is_interactive() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask(counted: BulkView) -> None:
    try:
        confirmed = typer.confirm(f"{_count(counted)} Continue?", err=True)
    except typer.Abort:
        confirmed = False
    if not confirmed:
        raise typer.Exit(exits.Exit.INTERRUPTED)


def _done(client: Client, begun: BulkView, output: Output, *, wait: bool) -> BulkView:
    """Return the ended operation, showing its progress until then."""
    if not wait or begun.id is None:
        return begun
    try:
        with output.errors.status(_progress(begun)) as shown:
            for seen in client.bulk_progress(begun.id, patience=PATIENCE):
                shown.update(_progress(seen))
    except KeyboardInterrupt:
        output.note(f"\nStopped waiting; the server continues {begun.id}.")
        raise typer.Exit(exits.Exit.INTERRUPTED) from None
    return seen


def _progress(seen: BulkView) -> str:
    of = f"{seen.matched:,}" if seen.counted_all else f"at least {seen.matched:,}"
    return f"{seen.action}: {seen.done + seen.skipped + seen.failed:,} of {of} runs"


def _report(output: Output, seen: BulkView) -> None:
    """Print the result; exit with 1 if the operation failed on any run."""
    if not seen.finished:
        output.say(seen.raw, f"Operation {seen.id} is in progress: {_progress(seen)}.")
        return
    parts: Mapping[str, int] = {
        _TRIED.get(seen.action, seen.action): seen.done, "skipped": seen.skipped, "failed": seen.failed,
    }  # fmt: skip
    output.say(
        seen.raw, ", ".join(f"{count:,} {what}" for what, count in parts.items() if count or what != "failed") + "."
    )
    if seen.failed:
        raise typer.Exit(exits.Exit.RUN_FAILED)
