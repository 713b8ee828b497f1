"""Commands about windows: `windows` lists them; `show`, `put`, `delete`, `override` and `release` act on one."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import typer

from taxiway.cli import options
from taxiway.cli.group import group
from taxiway.cli.output import Output
from taxiway.client import Client

_COLUMNS = ("name", "open", "until", "kind", "cron", "duration", "timezone", "onClose")
app = group("windows", _COLUMNS, Client.windows, "List and change the times in which runs may execute.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The window's name.")]


@app.command()
def show(
    name: Name,
    *,
    following: Annotated[int, typer.Option("--next", min=0, max=50, help="How many periods to show.")] = 5,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Show whether a window is open, and its next periods."""
    with options.connect(url, api_key) as client:
        _show(Output(as_json), client.window(name, following=following))


@app.command()
def put(
    name: Name,
    *,
    cron: Annotated[str, typer.Option("--cron", help="When it begins, such as '0 22 * * 1-5'.")],
    duration: Annotated[float, options.duration_option("--duration", "How long it lasts, such as 8h; 7 days at most.")],
    timezone: Annotated[str, typer.Option("--timezone", help="The time zone of --cron, such as Europe/Berlin.")],
    blackout: Annotated[bool, typer.Option("--blackout", help="Closed within these times, open outside them.")] = False,
    on_close: Annotated[
        Literal["finish", "pause"], typer.Option("--on-close", help="What executing runs do when it closes.")
    ] = "finish",
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Create or replace a window."""
    kind = "blackout" if blackout else "window"
    with options.connect(url, api_key) as client:
        made = client.put_window(name, cron=cron, duration=duration, timezone=timezone, kind=kind, on_close=on_close)
    _show(Output(as_json), made)


@app.command()
def delete(
    name: Name, *, url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False
) -> None:
    """Delete a window that nothing uses any more."""
    with options.connect(url, api_key) as client:
        client.delete_window(name)
    Output(as_json).say({"name": name, "deleted": True}, f"Window {name} is deleted.")


@app.command()
def override(
    name: Name,
    state: Annotated[Literal["open", "closed"], typer.Argument(help="Its state until the override ends.")],
    *,
    lasting: Annotated[
        float | None, options.duration_option("--for", "How long the override lasts, such as 2h.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            "--until",
            help="When the override ends, instead of --for; UTC.",
            formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ"],
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Stored with the window.", show_default=False)] = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Hold a window open or closed for a time, against its timetable."""
    if (lasting is None) == (until is None):
        raise typer.BadParameter("pass either --for or --until")
    end = until.replace(tzinfo=UTC) if until else datetime.now(UTC) + timedelta(seconds=lasting or 0)
    with options.connect(url, api_key) as client:
        _show(Output(as_json), client.override_window(name, state, until=end, reason=reason))


@app.command()
def release(
    name: Name, *, url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False
) -> None:
    """End an override: the window follows its timetable again."""
    with options.connect(url, api_key) as client:
        _show(Output(as_json), client.end_override(name))


def _show(output: Output, window: Mapping[str, Any]) -> None:
    if output.as_json:
        output.document(dict(window))
        return
    run_state, until = ("open" if window.get("open") else "closed"), window.get("until")
    output.line(f"{window.get('kind')} {window.get('name')} is {run_state}{f' until {until}' if until else ''}.")
    output.line(
        f"{window.get('cron')} for {window.get('duration')} in {window.get('timezone')}, on close: {window.get('onClose')}"
    )
    for kind in ("queues", "agents"):
        if window.get(kind):
            output.line(f"{kind}: {', '.join(window[kind])}")
    if changed := window.get("override"):
        why = f": {changed['reason']}" if changed.get("reason") else ""
        output.line(f"held {changed.get('state')} until {changed.get('until')} by {changed.get('by')}{why}")
    if periods := window.get("next"):
        output.table(("begins", "ends"), ([period.get("begins"), period.get("ends") or "…"] for period in periods))
