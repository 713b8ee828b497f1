"""Text of one event for people: one line, or a few for a question."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from taxiway.client import Event
from taxiway.client.views import moment

_LEVELS = {"debug": "dim", "info": "", "warning": "yellow", "error": "red", "critical": "bold red"}
_STEPS = {"succeeded": ("✓", "green"), "failed": ("✗", "red"), "retrying": ("↻", "yellow"), "abandoned": ("∅", "dim")}
LONGEST = 400
INDENT = " " * 10  # as wide as the time before a line


@dataclass(frozen=True)
class Line:
    """A line and its Rich style."""

    text: str
    style: str = ""


def describe(event: Event) -> Line | None:
    """Return the line for an event; None for progress and end, which each view shows in its own way."""
    if event.type in ("progress", "end"):
        return None
    describe_it = _BY_TYPE.get(event.type)
    # A newer server may send events that this version does not know.
    return describe_it(event.data) if describe_it else Line(f"{event.type} {_rest(event.data)}".rstrip())


def clock(event: Event) -> str:
    """Return the event's local time of day."""
    at = moment(event.data.get("timestamp"))
    return f"{at.astimezone():%H:%M:%S}" if at else "--:--:--"


def at(event: Event, line: Line) -> str:
    """Return the time and the line; further lines of the text are indented, so that none looks like another event."""
    return f"{clock(event)}  {under(line.text)}"


def under(text: str, indent: str = INDENT) -> str:
    """Return the text with its second and further lines indented."""
    return f"\n{indent}".join(text.split("\n"))


def amount(data: Mapping[str, Any]) -> str:
    """Return a progress event as text: `3/64 certifi`."""
    done, total, note = data.get("done"), data.get("total"), data.get("note")
    count = f"{done or 0}/{total}" if total is not None else f"{done}" if done is not None else ""
    return f"{count} {note or ''}".strip()


def took(duration_ms: float | None) -> str:
    """Return a duration for people: `12 ms`, `3.4 s`, `2 min 5 s`."""
    if duration_ms is None:
        return ""
    if duration_ms < 1000:
        return f"{duration_ms:.0f} ms"
    if duration_ms < 60_000:
        return f"{duration_ms / 1000:.1f} s"
    minutes, seconds = divmod(round(duration_ms / 1000), 60)
    return f"{minutes} min {seconds} s"


def _status(data: Mapping[str, Any]) -> Line:
    why = f" ({data['reason']})" if data.get("reason") else ""
    return Line(f"{data.get('to') or data.get('runStatus')}{why}", "cyan")


def _log(data: Mapping[str, Any]) -> Line:
    level = str(data.get("level") or "info")
    return Line(f"{level}: {data.get('message') or ''}", _LEVELS.get(level, ""))


def _agent(data: Mapping[str, Any]) -> Line:
    return Line(f"{data.get('type') or 'agent'} {_rest(data, 'type', 'step', 'attempt')}".rstrip(), "magenta")


def _step(data: Mapping[str, Any]) -> Line:
    step = data.get("step") or {}
    status = str(step.get("status") or "")
    sign, style = _STEPS.get(status, ("·", "yellow"))
    text = f"{sign} {step.get('name') or 'step'}"
    if status != "succeeded":
        text += f" {status}"
    attempts = step.get("attempts") or 0
    details = [f"attempt {attempts}"] if attempts > 1 else []
    if step.get("durationMs") is not None:
        details.append(took(step["durationMs"]))
    if details:
        text += f" ({', '.join(details)})"
    error = step.get("error")
    if isinstance(error, Mapping) and error.get("message"):
        text += f": {error['message']}"
    return Line(text, style)


def _waiting(what: str, data: Mapping[str, Any], link: str) -> Line:
    if data.get("outcome"):
        return Line(f"{what}: {data['outcome']}", "cyan")
    return Line(f"waits for {what}{_where(data, link)}", "bold yellow")


def _where(data: Mapping[str, Any], link: str) -> str:
    return f": {data[link]}" if data.get(link) else ""


def _asks(data: Mapping[str, Any]) -> Line:
    """Return the question, with the link and the commands that decide below it."""
    wait, choices = data.get("waitId") or "WAIT", data.get("choices") or ()
    lines = [f"waits for {under(str(data.get('prompt') or 'approval'), '  ')}{_where(data, 'approvalUrl')}"]
    if data.get("details") is not None:
        lines.append(_cut(json.dumps(data["details"], ensure_ascii=False)))
    if data.get("answer") is not None:
        lines.append(f"taxiway answer {wait} VALUE")
    else:
        named = f" --choice {shlex.quote(str(choices[0]))}" if choices else ""
        also = f"   (or: {', '.join(str(choice) for choice in choices[1:])})" if len(choices) > 1 else ""
        lines += [f"taxiway approve {wait}{named}{also}", f"taxiway deny {wait}"]
    return Line("\n".join(lines), "bold yellow")


_UNDECIDED = {"expire": "not decided in time", "withdrawn": "the agent no longer asks"}


def _decided(data: Mapping[str, Any]) -> Line:
    decision = str(data.get("decision") or "decided")
    if decision in _UNDECIDED:
        return Line(_UNDECIDED[decision], "yellow")
    text = {"approve": "approved", "deny": "denied", "answer": "answered"}.get(decision, decision)
    text += f": {data['choice']}" if data.get("choice") else ""
    text += f" by {data['by']}" if data.get("by") else ""
    text += f" ({data['comment']})" if data.get("comment") else ""
    return Line(text, "green" if decision != "deny" else "red")


def _rest(data: Mapping[str, Any], *but: str) -> str:
    known = {"runId", "runStatus", "timestamp", "seq", "event", *but}
    rest = {name: value for name, value in data.items() if name not in known}
    return _cut(json.dumps(rest, ensure_ascii=False)) if rest else ""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


_BY_TYPE: dict[str, Callable[[Mapping[str, Any]], Line]] = {
    "start": lambda _: Line("started", "cyan"),
    "status": _status,
    "step": _step,
    "log": _log,
    "agent": _agent,
    "authentication": lambda data: _waiting("authorization", data, "authUrl"),
    "run_approval": _asks,
    "run_action": _decided,
}
