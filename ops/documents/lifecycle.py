"""Writes `docs/lifecycle.md`, diagram and tables, from `models.lifecycle`."""

from __future__ import annotations

from collections.abc import Iterable

from models.lifecycle import MOVES, STATES, TERMINAL, Move, State, category, execution_status

HEAD = """# The life of a run

Generated from `models/lifecycle.py`, which defines all legal moves.

"""
AFTER_PICTURE = """
A RUNNING run may also be *continued*, *recovered* or *handed back*: it stays RUNNING and continues elsewhere or later, from
its recorded steps. A status drawn as an end never changes again.

"""


def text() -> str:
    """Return the document."""
    return HEAD + _picture() + AFTER_PICTURE + _moves() + "\n" + _states()


def _name(state: State) -> str:
    return f"{state.status}({state.pause_kind})" if state.pause_kind else str(state.status)


def _node(state: State) -> str:
    return f"{state.status}_{state.pause_kind}" if state.pause_kind else str(state.status)


def _sorted(states: Iterable[State]) -> list[State]:
    return sorted(states, key=STATES.index)


def _picture() -> str:
    """Return a Mermaid diagram; moves between the same two states share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for move in MOVES.values():
        for source in _sorted(move.sources):
            if source != move.target:
                arrows.setdefault((_node(source), _node(move.target)), []).append(str(move.verb))
        if not move.sources:
            arrows[("[*]", _node(move.target))] = [str(move.verb)]
    lines = [f'    state "{_name(state)}" as {_node(state)}' for state in STATES if state.pause_kind]
    lines += [f"    {source} --> {target}: {', '.join(verbs)}" for (source, target), verbs in arrows.items()]
    lines += [f"    {_node(state)} --> [*]" for state in STATES if state.status in TERMINAL]
    return "```mermaid\nstateDiagram-v2\n" + "\n".join(lines) + "\n```\n"


def _moves() -> str:
    head = "## Moves\n\n| verb | from | to | event | webhook |\n|---|---|---|---|---|\n"
    return head + "".join(f"{_row(move)}\n" for move in MOVES.values())


def _row(move: Move) -> str:
    sources = ", ".join(_name(state) for state in _sorted(move.sources)) or "(a new run)"
    webhook = f"`{move.webhook}`" if move.webhook else ""
    return f"| `{move.verb}` | {sources} | {_name(move.target)} | `{move.event}` | {webhook} |"


def _states() -> str:
    head = "## States\n\n| state | executionStatus | category |\n|---|---|---|\n"
    rows = (f"| {_name(state)} | `{execution_status(state)}` | {category(state)} |\n" for state in STATES)
    return head + "".join(rows)
