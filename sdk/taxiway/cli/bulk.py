"""`taxiway bulk`: cancel, pause, resume or retry all runs that meet some criteria, after showing how many these are."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from taxiway.cli import exits, inputs, options
from taxiway.cli.output import Output
from taxiway.client import BulkView, Client

# Shorter than the client's own: somebody sits in front of it.
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
        str | None, typer.Option("--parent", metavar="RUN", help="Those that this run started.", show_default=False)
    ] = None,
    created_after: Annotated[
        str | None, typer.Option("--created-after", metavar="TIME", help="RFC 3339.", show_default=False)
    ] = None,
    created_before: Annotated[
        str | None, typer.Option("--created-before", metavar="TIME", help="RFC 3339.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the runs.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until it is done; the server goes on anyway.")] = True,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:  # fmt: skip
    """Cancel, pause, resume or retry every run that meets all criteria and exists now; one criterion at least is needed."""
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
        if not yes and _somebody_is_there():
            _ask(counted)
        _report(output, _done(client, client.bulk(action, **where), output, wait=wait))


def _count(counted: BulkView) -> str:
    runs = f"{counted.matched:,} run{'' if counted.matched == 1 else 's'}"
    said = f"{runs} would be {_TRIED.get(counted.action, counted.action)}."
    return said if counted.counted_all else f"At least {said} There are more than the server looks at to count them."


def _somebody_is_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask(counted: BulkView) -> None:
    try:
        meant = typer.confirm(f"{_count(counted)} Go on?", err=True)
    except typer.Abort:
        meant = False
    if not meant:
        raise typer.Exit(exits.Exit.INTERRUPTED)


def _done(client: Client, begun: BulkView, output: Output, *, wait: bool) -> BulkView:
    """Give the operation as it is in the end, showing meanwhile how far it has come."""
    if not wait or begun.id is None:
        return begun
    try:
        with output.errors.status(_progress(begun)) as shown:
            for seen in client.bulk_progress(begun.id, patience=PATIENCE):
                shown.update(_progress(seen))
    except KeyboardInterrupt:
        output.note(f"\nStopped waiting; the server goes on with {begun.id}.")
        raise typer.Exit(exits.Exit.INTERRUPTED) from None
    return seen


def _progress(seen: BulkView) -> str:
    of = f"{seen.matched:,}" if seen.counted_all else f"at least {seen.matched:,}"
    return f"{seen.action}: {seen.done + seen.skipped + seen.failed:,} of {of} runs"


def _report(output: Output, seen: BulkView) -> None:
    """Say what came of it, and leave with an exit code that says whether any run failed of it."""
    if not seen.finished:
        output.say(seen.raw, f"Operation {seen.id} is under way: {_progress(seen)}.")
        return
    parts: Mapping[str, int] = {
        _TRIED.get(seen.action, seen.action): seen.done, "skipped": seen.skipped, "failed": seen.failed,
    }  # fmt: skip
    output.say(
        seen.raw, ", ".join(f"{count:,} {what}" for what, count in parts.items() if count or what != "failed") + "."
    )
    if seen.failed:
        raise typer.Exit(exits.Exit.RUN_FAILED)
