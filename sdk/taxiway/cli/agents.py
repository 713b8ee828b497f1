"""Commands about agents: `agents` lists them, `agents put` limits one."""

from typing import Annotated

import typer

from taxiway.cli import limits, options
from taxiway.cli.fleet import show_rows
from taxiway.cli.group import group
from taxiway.cli.output import Output
from taxiway.client import Client
from taxiway.client.options import KEEP

# The members that fit a screen; --json prints them all.
_COLUMNS = ("name", "queue", "workers", "slots", "limit", "paused", "window", "timeout", "description")
app = group("agents", _COLUMNS, Client.agents, "List and limit the agents that workers serve or have served.")


@app.command()
def put(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The agent's name.")],
    *,
    limit: options.RunLimit = None,
    paused: options.Paused = None,
    window: options.GateWindow = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Limit or pause an agent, or gate its runs by a window. A missing option stays as it is, 'none' removes it."""
    with options.connect(url, api_key) as client:
        agent = client.put_agent(
            name,
            limit=limits.read_limit(limit, "--limit"),
            paused=KEEP if paused is None else paused,
            window=KEEP if window is None else limits.read_name(window),
        )
    output = Output(as_json)
    if as_json:
        output.document(dict(agent))
    else:
        show_rows(output, "agents", [agent], _COLUMNS)
