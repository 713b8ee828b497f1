"""Answer to a run's question in the demo: from the person at the terminal or, without one, by calling the link."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from rich.table import Table
from taxiway.cli.output import clean

from ops.console import console, say

LOOK_EVERY = 0.2
ROWS, COLUMNS = 8, 4
"""Maximum of shown details; the link shows all."""
_ANSWERS = {"y": "approve", "yes": "approve", "n": "deny", "no": "deny"}
_JSON = {"accept": "application/json"}


class NotAnswered(Exception):
    """The link refused the decision; the message holds its answer."""


def answer(question: Mapping[str, Any], look: Callable[[], None]) -> None:
    """Show a question and get a decision; calls `look` while waiting, which may raise."""
    link = str(question["approvalUrl"])
    say(f"\nThe run asks: {clean(str(question['prompt']))}", "bold yellow")
    _show(question.get("details"))
    say(
        "While it waits, it holds no slot, process, connection or message. This link shows the question, and decides it once:"
    )
    say(f"  {link}\n")
    if sys.stdin.isatty() and sys.stdout.isatty():
        _ask(link, look)
    else:
        say("No terminal is attached, so the demo approves by calling the link:")
        say(f"  curl -H 'accept: application/json' '{link}&decision=approve'\n")
        _decide(link, "approve")


def _ask(link: str, look: Callable[[], None]) -> None:
    """Wait for y or n, or for a decision by the link."""
    console.print("Approve? [y/n] (or use the link) ", end="")
    while not _is_decided(link):
        look()
        if not select.select([sys.stdin], [], [], LOOK_EVERY)[0]:
            continue
        decision = _ANSWERS.get(sys.stdin.readline().strip().lower())
        if decision:
            _decide(link, decision)
            return
        console.print("Please type y or n: ", end="")
    say("\nIt was decided by the link.")


def _is_decided(link: str) -> bool:
    return httpx.get(link, headers=_JSON, trust_env=False).status_code == httpx.codes.GONE


def _decide(link: str, decision: str) -> None:
    answered = httpx.get(f"{link}&decision={decision}", headers=_JSON, trust_env=False)
    if answered.status_code not in (httpx.codes.OK, httpx.codes.GONE):
        raise NotAnswered(f"The link answered {answered.status_code}: {clean(answered.text[:300])}")


def _show(details: Any) -> None:
    if not isinstance(details, list) or not all(isinstance(row, dict) for row in details):
        return
    names = list(details[0])[:COLUMNS]
    table = Table(*(clean(name) for name in names), box=None)
    for row in details[:ROWS]:
        table.add_row(*(clean(str(row.get(name, ""))) for name in names))
    console.print(table)
    if len(details) > ROWS:
        say(f"  … and {len(details) - ROWS} more")
