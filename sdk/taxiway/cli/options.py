"""The options that commands share, declared once."""

from typing import Annotated

import typer

from taxiway.client import Client
from taxiway.durations import seconds

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]

Url = Annotated[
    str | None,
    typer.Option("--url", help="The server's address. Default: TAXIWAY_URL, else .taxiway/up.env.", show_default=False),
]
ApiKey = Annotated[
    str | None,
    typer.Option("--api-key", help="Default: TAXIWAY_API_KEY, else .taxiway/up.env.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text for people.")]

Pairs = Annotated[
    list[str] | None,
    typer.Option(
        "-i", metavar="KEY=VALUE", help="One input; the value is read as JSON where it is JSON, else as text."
    ),
]
Document = Annotated[
    str | None,
    typer.Option(
        "--input", metavar="JSON", help="The input object as JSON, @file, or @- for stdin.", show_default=False
    ),
]
Queue = Annotated[str | None, typer.Option("--queue", help="Default: the agent's own.", show_default=False)]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]


def read_duration(text: str) -> float:
    """Read a duration in seconds; a bare number is seconds already."""
    try:
        return seconds(float(text) if text.replace(".", "", 1).isdecimal() else text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def duration_option(name: str, text: str) -> typer.models.OptionInfo:
    """An option that takes a duration such as 90, 90s, 15m, 1h30m or PT15M."""
    option: typer.models.OptionInfo = typer.Option(
        name, help=text, metavar="DURATION", parser=read_duration, show_default=False
    )
    return option


def connect(url: str | None, api_key: str | None) -> Client:
    """The client that a command talks through."""
    return Client(url, api_key)
