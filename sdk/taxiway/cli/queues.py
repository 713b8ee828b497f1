"""Commands about queues: `queues` lists them, `queues put` says what holds back the runs of one."""

from typing import Annotated

import typer

from taxiway.cli import options
from taxiway.cli.fleet import show_rows
from taxiway.cli.group import group
from taxiway.cli.output import Output
from taxiway.client import Client
from taxiway.client.operations import KEEP

_COLUMNS = ("name", "paused", "window")
app = group("queues", _COLUMNS, Client.queues, "Show and change queues.")


@app.command()
def put(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The queue's name.")],
    *,
    paused: Annotated[bool | None, typer.Option("--paused/--running", help="Whether its runs are held back.")] = None,
    window: Annotated[
        str | None, typer.Option("--window", help="The window that gates its runs; '' for none.", show_default=False)
    ] = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Pause a queue or let it run, or have a window gate its runs; what is not given stays as it is."""
    with options.connect(url, api_key) as client:
        queue = client.put_queue(
            name, paused=KEEP if paused is None else paused, window=KEEP if window is None else window or None
        )
    output = Output(as_json)
    if as_json:
        output.document(dict(queue))
    else:
        show_rows(output, "queues", [queue], _COLUMNS)
