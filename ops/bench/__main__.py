"""`python -m ops.bench [--short] [--only WORKLOAD] [--write-docs]`: what `make bench` calls."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from taxiway.client import TaxiwayError

from ops.bench import figures, report, rounds
from ops.bench.document import write_documents
from ops.bench.machine import describe
from ops.bench.plan import LONG, SHORT, Plan
from ops.bench.servers import BenchServers
from ops.bench.systems.bare_celery import BareCelery
from ops.bench.systems.dbos import DbosDirect, DbosQueue
from ops.bench.systems.environment import EnvironmentMissing, peer_python
from ops.bench.systems.promotion import Promoting
from ops.bench.systems.search import Searching
from ops.bench.systems.system import CannotMeasure, System
from ops.bench.systems.taxiway import Taxiway
from ops.bench.workloads import BY_KEY
from ops.console import complain, say
from ops.embedded import EmbeddedError
from ops.stack import StackError
from ops.stack.fleet import ROOT

BUILD = ROOT / "build"
RESULT = BUILD / "bench.json"


def arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.bench", description="Measures Taxiway, DBOS and bare Celery.")
    parser.add_argument("--short", action="store_true", help="the short form: under a minute")
    parser.add_argument("--only", action="append", choices=BY_KEY, metavar="WORKLOAD", help=f"of {', '.join(BY_KEY)}")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md from the measurements")
    chosen = parser.parse_args(given)
    if chosen.write_docs and (chosen.short or chosen.only):
        parser.error("--write-docs needs the complete long form")
    return chosen


def planned(chosen: argparse.Namespace) -> Plan:
    """Return the plan; a workload named by `--only` is measured also in the short form."""
    plan = SHORT if chosen.short else LONG
    if not chosen.only:
        return plan
    least_once = {name: max(1, getattr(plan, name)) for name in ("worker_kills", "blocked")}
    return replace(plan, workloads=tuple(BY_KEY[key] for key in BY_KEY if key in chosen.only), **least_once)


def systems() -> list[System]:
    """Return the systems that can be measured here; print which one cannot."""
    found: list[System] = [Taxiway(), Promoting(), Searching()]
    try:
        python = peer_python(BUILD / "bench" / "dbos")
        found += [DbosQueue(python), DbosDirect(python)]
    except (EnvironmentMissing, OSError) as error:
        complain(f"DBOS is left out: its environment could not be installed ({error}).")
    return [*found, BareCelery()]


def bench(chosen: argparse.Namespace) -> int:
    load, plan = os.getloadavg()[0], planned(chosen)
    if load > 0.5 * (os.cpu_count() or 1):
        say(f"The machine is busy (load {load:.1f}): these figures will not be reliable.", "yellow")
    order = rounds.turns(systems(), plan)
    with BenchServers(BUILD / "bench" / "run") as servers:
        machine = describe(servers, load)
        with report.Shown(order) as shown:
            measured = rounds.measure(order, servers, plan, shown).figures()
    RESULT.write_text(figures.to_json(measured))
    report.print_figures(measured)
    report.print_ratios(measured)
    say(f"\nWritten to {RESULT.relative_to(ROOT)}.")
    if chosen.write_docs:
        say(f"Written to {', '.join(write_documents(ROOT / 'docs', machine, measured))}.")
    return 0


def main(given: Sequence[str]) -> int:
    chosen = arguments(given)
    os.chdir(ROOT)
    try:
        return bench(chosen)
    except (StackError, EmbeddedError, TaxiwayError, CannotMeasure) as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        complain("Stopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
