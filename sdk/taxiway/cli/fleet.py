"""Commands that show the installation: `agents`, `workers`, `capacity`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taxiway.cli import options
from taxiway.cli.output import Output

# The members that fit a screen; --json prints them all.
_AGENTS = ("name", "queue", "workers", "slots", "timeout", "description")
_WORKERS = ("name", "queue", "slots", "leased", "alive", "draining", "agents")
_QUEUES = ("queue", "workers", "slots", "inFlight", "executing", "queued", "parked")


def agents(url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False) -> None:
    """List the agents that workers serve."""
    with options.connect(url, api_key) as client:
        show_rows(Output(as_json), "agents", client.agents(), _AGENTS)


def workers(url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False) -> None:
    """List the workers."""
    with options.connect(url, api_key) as client:
        show_rows(Output(as_json), "workers", client.workers(), _WORKERS)


def capacity(url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False) -> None:
    """Show per queue: slots, runs in flight, queued and parked."""
    with options.connect(url, api_key) as client:
        show_rows(Output(as_json), "queues", client.capacity(), _QUEUES)


def show_rows(output: Output, member: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print a list that came in one piece: what fits a screen, or with --json everything."""
    if output.as_json:
        output.document({member: [dict(row) for row in rows]})
        return
    if not rows:
        output.note(f"There are no {member} yet.")
        return
    output.table(columns, ([_cell(row.get(name)) for name in columns] for row in rows))


def _cell(value: Any) -> object:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return ("yes" if value else "no") if isinstance(value, bool) else value
