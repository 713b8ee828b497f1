"""`python -m ops.chaos [--seed N] [--seconds 300] [--only FAULT,…] [--write-docs]`: what `make chaos` calls."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys

from rich.console import Console

from ops.chaos import documents, report
from ops.chaos.faults import FAULTS, Fault
from ops.chaos.harness import Harness
from ops.chaos.plan import Plan, short
from ops.stack.fleet import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="seed of load and faults (default: a new one)")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument(
        "--only", type=chosen, default=FAULTS, help="names of faults, separated by commas (default: all)"
    )
    parser.add_argument("--short", action="store_true", help="use a short lease, as in the tests")
    parser.add_argument("--keep", action="store_true", help="keep data and logs even if no promise was broken")
    parser.add_argument("--write-docs", action="store_true", help="write docs/faults.md from the measurements")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    seed = secrets.randbelow(10_000) if arguments.seed is None else arguments.seed
    plan = Plan(seed, arguments.seconds, ROOT / "build" / f"chaos-{os.getpid()}", faults=arguments.only)
    return exercise(short(plan) if arguments.short else plan, arguments)


def exercise(plan: Plan, arguments: argparse.Namespace) -> int:
    """Carry out a plan and print the report; return 1 if a promise was broken."""
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(f"Seed {plan.seed}: {plan.seconds:.0f} s of load and faults. Starting …")
    with console.status("starting") as status:
        result = Harness(plan, status.update).run()
    found = report.summary(result)
    report.write(found, ROOT / "build" / "chaos.json")
    report.show(console, found)
    if found["violations"]:
        console.print(f"Logs and effects are in {plan.base}.")
        return 1
    if not arguments.keep:
        shutil.rmtree(plan.base, ignore_errors=True)
    if arguments.write_docs:
        (ROOT / "docs" / "faults.md").write_text(documents.faults(found))
    return 0


def chosen(names: str) -> tuple[type[Fault], ...]:
    known = {fault.name: fault for fault in FAULTS}
    unknown = [name for name in names.split(",") if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such fault: {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(known[name] for name in names.split(","))


if __name__ == "__main__":
    sys.exit(main())
