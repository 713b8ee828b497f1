"""Options that commands share."""

from datetime import datetime
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
        "-i",
        metavar="KEY=VALUE",
        help="One input; the value is read as JSON if it is JSON and the agent does not take text.",
    ),
]
Document = Annotated[
    str | None,
    typer.Option(
        "--input", metavar="JSON", help="The input object as JSON, @file, or @- for stdin.", show_default=False
    ),
]
Queue = Annotated[str | None, typer.Option("--queue", help="Default: the agent's queue.", show_default=False)]
RunLimit = Annotated[
    str | None,
    typer.Option("--limit", metavar="N", help="Most runs in flight; 'none' for no limit.", show_default=False),
]
Paused = Annotated[bool | None, typer.Option("--paused/--running", help="Whether its runs are held back.")]
GateWindow = Annotated[
    str | None, typer.Option("--window", help="The window that gates its runs, or 'none'.", show_default=False)
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="The most to show.")]


def read_duration(text: str) -> float:
    """Return a duration in seconds; a bare number is in seconds."""
    try:
        return seconds(float(text) if text.replace(".", "", 1).isdecimal() else text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def duration_option(name: str, text: str) -> typer.models.OptionInfo:
    """Return an option that takes a duration such as 90, 90s, 15m, 1h30m or PT15M."""
    option: typer.models.OptionInfo = typer.Option(
        name, help=text, metavar="DURATION", parser=read_duration, show_default=False
    )
    return option


def read_moment(text: str) -> datetime:
    """Return an RFC 3339 time, which must have an offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time such as 2026-03-01T09:30:00Z") from None
    if at.tzinfo is None:
        raise typer.BadParameter(f"{text!r} needs an offset, such as {text}Z or {text}+01:00")
    return at


def moment_option(name: str, text: str) -> typer.models.OptionInfo:
    """Return an option that takes a time such as 2026-03-01T09:30:00Z."""
    option: typer.models.OptionInfo = typer.Option(
        name, help=text, metavar="TIME", parser=read_moment, show_default=False
    )
    return option


def connect(url: str | None, api_key: str | None) -> Client:
    """Return the client of a command."""
    return Client(url, api_key)
