"""Commands that show the installation: `agents`, `workers`, `capacity`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taxiway.cli import options
from taxiway.cli.output import Output


def agents(url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False) -> None:
    """List the agents that workers serve."""
    with options.connect(url, api_key) as client:
        _print(Output(as_json), "agents", client.agents(), ("name", "queue"))


def workers(url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False) -> None:
    """List the workers."""
    with options.connect(url, api_key) as client:
        _print(Output(as_json), "workers", client.workers(), ("name", "queue", "slots"))


def capacity(url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False) -> None:
    """Show per queue: slots, runs in flight, queued and parked."""
    with options.connect(url, api_key) as client:
        _print(Output(as_json), "queues", client.capacity(), ("queue", "name", "slots", "inFlight", "queued", "parked"))


def _print(output: Output, member: str, rows: Sequence[Mapping[str, Any]], first: Sequence[str]) -> None:
    if output.as_json:
        output.document({member: [dict(row) for row in rows]})
        return
    if not rows:
        output.note(f"There are no {member} yet.")
        return
    names = {name for row in rows for name, value in row.items() if value is not None and not isinstance(value, dict)}
    columns = [name for name in first if name in names] + sorted(names.difference(first))
    output.table(columns, ([_cell(row.get(name)) for name in columns] for row in rows))


def _cell(value: Any) -> object:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return ("yes" if value else "no") if isinstance(value, bool) else value
