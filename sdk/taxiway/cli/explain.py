"""`taxiway explain`: explains why a run is not executing, or what it awaits while it executes."""

from __future__ import annotations

import shlex
import textwrap
from datetime import datetime

from taxiway.cli import lines, options
from taxiway.cli.output import Output, local_time
from taxiway.client import BlockerView, Explanation
from taxiway.client.views import TERMINAL

WIDTH = 80
_INDENT = " " * 4
_ASKED = {
    "cancel": "It was asked to stop.",
    "pause": "It pauses at its next step.",
    "window": "Its window closed: it pauses at its next step.",
}


def explain(
    run: options.RunId,
    *,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Explain why a run is not executing: every blocker, in the order in which to remove it."""
    output = Output(as_json)
    with options.connect(url, api_key) as client:
        found = client.run(run).explain()
    if as_json:
        output.document(dict(found.raw))
        return
    _paragraph(output, _standing(found))
    for number, blocker in enumerate(found.blockers, start=1):
        _show(output, number, blocker, found)
    if found.omitted:
        output.line(f"… and {found.omitted:,} more waits")


def _standing(found: Explanation) -> str:
    """Return the state of the run, in one or more sentences."""
    why = f" ({found.reason})" if found.reason else ""
    if found.status in TERMINAL:
        ended = f" at {local_time(found.since)}" if found.since else ""
        return f"Run {found.run_id} has ended{ended}: {found.status}{why}."
    if not found.executing:
        return f"Run {found.run_id} is {found.status}{why} and does not execute."
    step = f", in step {found.step_in_flight}" if found.step_in_flight else ""
    since = f" since {local_time(found.since)}" if found.since else ""
    asked = f" {_ASKED.get(found.control_request, '')}" if found.control_request else ""
    waits = " Its agent also waits:" if any(blocker.raw.get("waitId") for blocker in found.blockers) else ""
    return f"Run {found.run_id} executes on {found.worker}{since}{step}.{asked}{waits}"


def _show(output: Output, number: int, blocker: BlockerView, found: Explanation) -> None:
    output.line("")
    output.line(f"{number:>2}. {blocker.kind}", "bold")
    _paragraph(output, blocker.detail, _INDENT)
    for word, moment in (("since", blocker.since), ("until", blocker.until)):
        if moment:
            output.line(f"{_INDENT}{word} {local_time(moment)}{_distance(found.at, moment)}", "dim")
    if command := _command(blocker, found.run_id):
        output.line(f"{_INDENT}{command}", "cyan")


def _command(blocker: BlockerView, run: str) -> str:
    """Return the command that ends this blocker for this run alone; empty if there is no such command."""
    wait = blocker.raw.get("waitId")
    match blocker.kind:
        case "held" | "pause" | "code_mismatch":
            return f"taxiway resume {run}"
        case "approval" if wait:
            return f"taxiway approvals, then taxiway approve, deny or answer {wait}"
        case "signal" if blocker.raw.get("signal"):
            return f"taxiway signal {run} {shlex.quote(str(blocker.raw['signal']))} PAYLOAD"
    return ""


def _distance(at: datetime | None, moment: datetime) -> str:
    if at is None:
        return ""
    seconds = (moment - at).total_seconds()
    return f" (in {_span(seconds)})" if seconds > 0 else f" ({_span(-seconds)} ago)"


def _span(seconds: float) -> str:
    """Return a span in its two largest units."""
    if seconds < 3600:
        return lines.took(seconds * 1000)
    minutes = round(seconds / 60)
    if minutes < 1440:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def _paragraph(output: Output, text: str, indent: str = "") -> None:
    """Print prose, broken at blanks so that a narrow terminal does not break it within words."""
    wrapper = textwrap.TextWrapper(WIDTH, indent, indent, break_long_words=False, break_on_hyphens=False)
    for line in wrapper.wrap(text):
        output.line(line)
