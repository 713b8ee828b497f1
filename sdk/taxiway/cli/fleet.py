"""Commands that show the installation: `workers`, `capacity`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taxiway.cli import options
from taxiway.cli.output import Output, local_time
from taxiway.client.views import moment

# The members that fit a screen; --json prints them all.
_WORKERS = ("name", "queue", "slots", "leased", "alive", "draining", "agents")
_QUEUES = ("queue", "workers", "slots", "limit", "inFlight", "queued", "blocked", "parked", "state")


def workers(url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False) -> None:
    """List the workers."""
    with options.connect(url, api_key) as client:
        show_rows(Output(as_json), "workers", client.workers(), _WORKERS)


def capacity(url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False) -> None:
    """Show each queue: slots, runs in flight, queued, blocked and parked, and what holds the queue back."""
    with options.connect(url, api_key) as client:
        queues = client.capacity()
    shown = queues if as_json else [{**queue, "state": _state(queue)} for queue in queues]
    show_rows(Output(as_json), "queues", shown, _QUEUES)


def show_rows(output: Output, member: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print a list of one page: the columns that fit a screen, or everything with --json."""
    if output.as_json:
        output.document({member: [dict(row) for row in rows]})
        return
    if not rows:
        output.note(f"There are no {member} yet.")
        return
    output.table(columns, ([_cell(row.get(name)) for name in columns] for row in rows))


def _state(queue: Mapping[str, Any]) -> str:
    said = [word for word in ("paused", "cordoned") if queue.get(word)]
    if run_state := queue.get("nextWindow"):
        until = local_time(moment(run_state.get("until")))
        how = "open" if run_state.get("open") else "closed"
        said.append(f"{queue.get('window')} {how}{f' until {until}' if until else ''}")
    return ", ".join(said) or "open"


def _cell(value: Any) -> object:
    if isinstance(value, Mapping):
        # A rate, or the weights of tenants.
        rate = f"{value.get('limit')}/{value.get('per')}"
        return rate if "per" in value else ", ".join(f"{name}={number:g}" for name, number in value.items())
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return ("yes" if value else "no") if isinstance(value, bool) else value
