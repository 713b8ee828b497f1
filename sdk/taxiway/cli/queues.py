"""Commands about queues: `queues` lists them, `queues put` sets their limits, rates, weights and windows."""

from typing import Annotated

import typer

from taxiway.cli import limits, options
from taxiway.cli.fleet import show_rows
from taxiway.cli.group import group
from taxiway.cli.output import Output
from taxiway.client import Client
from taxiway.client.options import KEEP

# The members that fit a screen; --json prints them all.
_COLUMNS = ("name", "limit", "tenantLimit", "keyLimit", "rate", "weights", "cordoned", "paused", "window")
app = group("queues", _COLUMNS, Client.queues, "List and change queues.")

TenantLimit = Annotated[
    str | None,
    typer.Option(
        "--tenant-limit", metavar="N", help="Most runs of one tenant in flight, or 'none'.", show_default=False
    ),
]
KeyLimit = Annotated[
    str | None,
    typer.Option(
        "--key-limit", metavar="N", help="Most runs of one concurrency key in flight; 'none': 1.", show_default=False
    ),
]
HoldKeys = Annotated[
    bool | None, typer.Option("--hold-keys/--release-keys", help="Whether a parked run keeps the place of its key.")
]
Rate = Annotated[
    str | None,
    typer.Option(
        "--rate", metavar="N/DURATION", help="Most new runs that start, such as 100/1m, or 'none'.", show_default=False
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weight", metavar="TENANT=N", help="A tenant's share; may be repeated. Replaces all shares; 'none': all 1."
    ),
]
Cordoned = Annotated[bool | None, typer.Option("--cordon/--uncordon", help="Whether new runs are held back.")]


@app.command()
def put(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The queue's name.")],
    *,
    limit: options.RunLimit = None,
    tenant_limit: TenantLimit = None,
    key_limit: KeyLimit = None,
    hold_keys: HoldKeys = None,
    rate: Rate = None,
    weight: Weights = None,
    cordoned: Cordoned = None,
    paused: options.Paused = None,
    window: options.GateWindow = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Limit, cordon or pause a queue, or gate its runs by a window. A missing option stays as it is, 'none' removes it."""
    with options.connect(url, api_key) as client:
        queue = client.put_queue(
            name,
            limit=limits.read_limit(limit, "--limit"),
            tenant_limit=limits.read_limit(tenant_limit, "--tenant-limit"),
            key_limit=limits.read_limit(key_limit, "--key-limit"),
            rate=limits.read_rate(rate),
            weights=limits.read_weights(weight),
            hold_keys=KEEP if hold_keys is None else hold_keys,
            cordoned=KEEP if cordoned is None else cordoned,
            paused=KEEP if paused is None else paused,
            window=KEEP if window is None else limits.read_name(window),
        )
    output = Output(as_json)
    if as_json:
        output.document(dict(queue))
    else:
        show_rows(output, "queues", [queue], _COLUMNS)
