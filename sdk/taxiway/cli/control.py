"""Commands that control a run: `cancel`, `pause`, `resume`, `signal`."""

from typing import Annotated

import typer

from taxiway.cli import inputs, options
from taxiway.cli.output import Output
from taxiway.client import RunView

Reason = Annotated[str | None, typer.Option("--reason", help="Stored with the run.", show_default=False)]


def cancel(
    run: options.RunId,
    *,
    reason: Reason = None,
    grace: Annotated[
        float | None, options.duration_option("--grace", "Time for executing code to stop, such as 5s.")
    ] = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Cancel a run that has not ended."""
    with options.connect(url, api_key) as client:
        seen = client.run(run).cancel(reason, grace)
    follow = f"Follow it with: taxiway watch {seen.id}"
    _say(as_json, seen, f"Run {seen.id} is executing and was asked to stop. {follow}", over=seen.finished)


def pause(
    run: options.RunId,
    *,
    reason: Reason = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Pause a run until it is resumed; its finished steps are kept."""
    with options.connect(url, api_key) as client:
        seen = client.run(run).pause(reason)
    when = {
        "QUEUED": "is held: it does not start until it is resumed.",
        "RUNNING": "pauses at its next step.",
    }.get(seen.status, "stays paused when its wait ends.")
    _say(as_json, seen, f"Run {seen.id} {when} Resume it with: taxiway resume {seen.id}", over=seen.paused_by_user)


def resume(
    run: options.RunId,
    *,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Resume a run that was paused, or whose code was fixed."""
    with options.connect(url, api_key) as client:
        seen = client.run(run).resume()
    _say(as_json, seen, "", over=True)


def signal(
    run: options.RunId,
    name: Annotated[str, typer.Argument(help="The name that the agent waits for.", show_default=False)],
    payload: Annotated[str | None, typer.Argument(help="JSON, or plain text.", show_default=False)] = None,
    *,
    pairs: options.Pairs = None,
    signal_id: Annotated[
        str | None, typer.Option("--id", help="Signals with the same id count once.", show_default=False)
    ] = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Send a run a message, stored until its agent waits for it."""
    if payload is not None and pairs:
        raise typer.BadParameter("pass one PAYLOAD, or members with -i key=value", param_hint="PAYLOAD")
    value = inputs.read_input(None, pairs) if pairs else None if payload is None else inputs.value(payload)
    with options.connect(url, api_key) as client:
        seen = client.run(run).signal(name, value, id=signal_id)
    _say(as_json, seen, "", over=True)


def _say(as_json: bool, seen: RunView, to_come: str, *, over: bool) -> None:
    """Print the run's status, or what will happen to it."""
    output = Output(as_json)
    if as_json:
        output.document(dict(seen.raw))
    else:
        output.line(f"Run {seen.id} is {seen.status}." if over else to_come)
