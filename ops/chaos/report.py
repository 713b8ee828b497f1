"""Report of an exercise, as a table and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ops.chaos.faults import FAULTS
from ops.chaos.plan import Result
from ops.chaos.recovery import Times, percentile

NAMES = {
    "host_kill": "host killed → its run executes a step again",
    "worker_kill": "worker killed → a step of its runs executes elsewhere",
    "worker_kill_recovered": "worker killed → all its runs are ready again",
    "leader_kill": "leader killed → next promotion",
}
GAPS = {"promotion": "longest time without a promotion", "claim": "longest time without a claim"}


def summary(result: Result) -> dict[str, Any]:
    """Return all findings, ready for JSON."""
    struck = Counter(incident.fault for incident in result.journal.incidents)
    return {
        "seed": result.plan.seed,
        "seconds": result.plan.seconds,
        "lease": result.plan.size.lease,
        "faults": {fault.name: struck[fault.name] for fault in FAULTS},
        "runs": {"accepted": len(result.journal.accepted), **result.statuses},
        "rested_after": result.rested_after,
        "recovery": _measured(result.times),
        "recovery_all": _measured(result.all_times),
        "longest_gap": {what: longest(result.journal.gaps, what) for what in GAPS},
        **result.journal.as_json(),
    }


def _measured(times: Times) -> dict[str, Any]:
    return {
        name: {"n": len(values), "p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}
        for name, values in asdict(times).items()
    }


def longest(gaps: list[dict[str, Any]], what: str, fault: str | None = None) -> float | None:
    """Return the longest gap, of all or of those during a fault."""
    return max(
        (gap["seconds"] for gap in gaps if gap["of"] == what and (not fault or fault in gap["during"])), default=None
    )


def write(found: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n")


def show(console: Console, found: dict[str, Any]) -> None:
    """Print the table."""
    table = Table(title=f"Seed {found['seed']}, {found['seconds']:.0f} s", show_header=False, title_justify="left")
    for fault, count in found["faults"].items():
        table.add_row(fault.replace("_", " "), str(count))
    table.add_section()
    for status, count in found["runs"].items():
        table.add_row(f"runs {status}", str(count))
    table.add_row("everything had ended after", _seconds(found["rested_after"]))
    table.add_section()
    for name, words in NAMES.items():
        shown = found["recovery"][name]
        table.add_row(words, f"p50 {_seconds(shown['p50'])}, p99 {_seconds(shown['p99'])} (n = {shown['n']})")
    for what, words in GAPS.items():
        table.add_row(f"{words}, work waiting and slots free", _seconds(found["longest_gap"][what]))
    table.add_section()
    table.add_row("violations", str(len(found["violations"])))
    console.print(table)
    for violation in found["violations"]:
        console.print(f"[{violation['invariant']}] {violation['run']}: {violation['evidence']}", style="red")
    if found["violations"]:
        console.print(f"\nAgain: make chaos SEED={found['seed']} SECONDS={found['seconds']:.0f}", style="bold")


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f} s"
