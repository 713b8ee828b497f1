"""Group of commands about one kind of thing; without a command, it lists them."""

from collections.abc import Callable, Sequence

import typer

from taxiway.cli import options
from taxiway.cli.fleet import show_rows
from taxiway.cli.output import Output
from taxiway.client import Client
from taxiway.client.views import Json


def group(name: str, columns: Sequence[str], fetch: Callable[[Client], list[Json]], text: str) -> typer.Typer:
    """Return the group `name`, which lists the rows of `fetch`; `text` is its help."""
    app = typer.Typer(help=text, invoke_without_command=True, no_args_is_help=False)

    @app.callback()
    def listing(
        context: typer.Context,
        *,
        url: options.Url = None,
        api_key: options.ApiKey = None,
        as_json: options.AsJson = False,
    ) -> None:
        if context.invoked_subcommand is None:
            with options.connect(url, api_key) as client:
                show_rows(Output(as_json), name, fetch(client), columns)

    return app
