"""Writes `docs/faults.md` from the measurements of an exercise."""

from __future__ import annotations

from typing import Any

from ops.chaos.faults import FAULTS
from ops.chaos.invariants import CHECKS
from ops.chaos.measures import Slots
from ops.chaos.report import GAPS, NAMES, longest
from ops.chaos.sampler import Sampler

HEAD = """# Faults, and what they cost

`make chaos SEED=7` starts two workers, two schedulers and an API with their own servers. Every process reaches PostgreSQL and
Valkey through links that can be blocked. The seed decides a mixed load and the faults that strike during it. Then everything is
healed, all accepted runs must end, and every promise is checked, from the tables and from a log that the steps write outside
the system. The same seed gives the same load and the same faults; how processes interleave depends on the machine.

This page was written by `python -m ops.chaos --seed {seed} --seconds {seconds:.0f} --write-docs`: {accepted} runs were
accepted, {faults} faults struck, **{violations} promises were broken**.
"""


def faults(found: dict[str, Any]) -> str:
    """Return the page."""
    head = HEAD.format(
        seed=found["seed"],
        seconds=found["seconds"],
        accepted=found["runs"]["accepted"],
        faults=len(found["incidents"]),
        violations=len(found["violations"]),
    )
    return "\n".join([head, *_table(found), "", *_measured(found), "", *_checked(), ""])


def _table(found: dict[str, Any]) -> list[str]:
    lines = ["| fault | what it may cost | struck | longest time without a claim |", "|---|---|---|---|"]
    for fault in FAULTS:
        gap = longest(found["gaps"], "claim", fault.name)
        shown = "none" if gap is None else f"{gap:.1f} s"
        lines.append(f"| {fault.name.replace('_', ' ')} | {fault.costs} | {found['faults'][fault.name]} | {shown} |")
    note = "Last column: no claim although work waited and slots were free. Faults overlap, so a time may belong to another one."
    return [*lines, "", note]


def _measured(found: dict[str, Any]) -> list[str]:
    lines = [f"With a lease of {found['lease']:.0f} s:", "", "| | p50 | p99 | n |", "|---|---|---|---|"]
    for name, words in NAMES.items():
        one = found["recovery"][name]
        if one["n"]:
            lines.append(f"| {words} | {one['p50']:.2f} s | {one['p99']:.2f} s | {one['n']} |")
    for what, words in GAPS.items():
        if (gap := found["longest_gap"][what]) is not None:
            lines.append(f"| {words}, all faults together | | {gap:.1f} s | |")
    return lines


def _checked() -> list[str]:
    """Return the list of checks, from the docstrings of their functions."""
    said = [check.__doc__ for check in CHECKS] + [
        Slots.__doc__,
        Sampler.look_at_ended.__doc__,
        Sampler.look_at_keys.__doc__,
    ]
    return ["## What is checked", "", *(f"- {' '.join((text or '').split())}" for text in said)]
