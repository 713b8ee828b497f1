"""Commands about schedules: `schedules` lists them; `show`, `put`, `pause`, `resume`, `run` and `delete` act on one."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from taxiway.cli import fitting, inputs, options
from taxiway.cli.group import group
from taxiway.cli.output import Output
from taxiway.client import Client

_COLUMNS = ("name", "agent", "cron", "timezone", "paused", "nextAt", "lastAt")
app = group("schedules", _COLUMNS, Client.schedules, "List and change recurring runs.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]


@app.command()
def show(
    name: Name, *, url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False
) -> None:
    """Show when a schedule fires next, and the results of its newest firings."""
    with options.connect(url, api_key) as client:
        _show(Output(as_json), client.schedule(name))


@app.command()
def put(
    name: Name,
    agent: Annotated[
        str | None,
        typer.Argument(metavar="[AGENT]", help="The agent to run; a new schedule needs it.", show_default=False),
    ] = None,
    *,
    cron: Annotated[
        str | None, typer.Option("--cron", help="When it fires, such as '0 6 * * 1-5'.", show_default=False)
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option("--timezone", help="The time zone of --cron, such as Europe/Berlin.", show_default=False),
    ] = None,
    pairs: options.Pairs = None,
    document: options.Document = None,
    queue: options.Queue = None,
    window: Annotated[
        str | None,
        typer.Option("--window", help="Its runs execute only while this window is open.", show_default=False),
    ] = None,
    overlap: Annotated[
        Literal["skip", "queue"] | None,
        typer.Option(
            "--overlap",
            help="While an earlier run has not ended: skip, or wait.",
            show_default=False,
        ),
    ] = None,
    catch_up: Annotated[
        Literal["none", "last"] | None,
        typer.Option("--catch-up", help="Make up for no missed firing, or for the last.", show_default=False),
    ] = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Create a schedule, or change the given options of an existing one. AGENT replaces the run that it enqueues."""
    if agent is None and (pairs or document or queue or window):
        raise typer.BadParameter("options of the run need its AGENT too")
    given = {} if agent is None else inputs.read_input(document, pairs or ())
    with options.connect(url, api_key) as client:
        run = None
        if agent is not None:
            given = fitting.fitted(client, agent, given, pairs or ())
            run = {"agent": agent, "input": given, "queue": queue, "window": window}
        made = client.put_schedule(name, cron=cron, timezone=timezone, run=run, overlap=overlap, catch_up=catch_up)
    _show(Output(as_json), made)


@app.command()
def pause(
    name: Name, *, url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False
) -> None:
    """Pause a schedule; its runs continue."""
    with options.connect(url, api_key) as client:
        _show(Output(as_json), client.put_schedule(name, paused=True))


@app.command()
def resume(
    name: Name, *, url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False
) -> None:
    """Resume a schedule: it fires again from now on."""
    with options.connect(url, api_key) as client:
        _show(Output(as_json), client.put_schedule(name, paused=False))


@app.command()
def run(
    name: Name, *, url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False
) -> None:
    """Enqueue a schedule's run immediately and print its id."""
    with options.connect(url, api_key) as client:
        handle = client.run_schedule(name)
    assert handle.accepted is not None  # run_schedule() always sets it
    Output(as_json).say(handle.accepted.run.raw, handle.id)


@app.command()
def delete(
    name: Name, *, url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False
) -> None:
    """Delete a schedule; its runs continue."""
    with options.connect(url, api_key) as client:
        client.delete_schedule(name)
    Output(as_json).say({"name": name, "deleted": True}, f"Schedule {name} is deleted.")


def _show(output: Output, schedule: Mapping[str, Any]) -> None:
    if output.as_json:
        output.document(dict(schedule))
        return
    then = "is paused" if schedule.get("paused") else f"fires next at {schedule.get('nextAt') or 'no time'}"
    output.line(f"Schedule {schedule.get('name')} of {schedule.get('agent')} {then}.")
    rule = f"{schedule.get('cron')} in {schedule.get('timezone')}"
    output.line(f"{rule}, overlap: {schedule.get('overlap')}, catch-up: {schedule.get('catchUp')}")
    if firings := schedule.get("firings"):
        rows = ([firing.get("at"), firing.get("outcome"), firing.get("runId") or ""] for firing in firings)
        output.table(("fired for", "outcome", "run"), rows)
