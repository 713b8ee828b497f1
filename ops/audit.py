"""Known vulnerabilities of the versions in `constraints.txt`, found with pip-audit: `python -m ops.audit`.

Exit codes: 0 none known, 1 some known, 3 the service did not answer. A missing answer never counts as "none known".
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).resolve().parent.parent / "constraints.txt"
SERVICE = "https://api.osv.dev/v1/query"
NONE, SOME, NOT_ASKED = 0, 1, 3
_PATIENCE = 900.0
"""Seconds for all versions together."""


class NotAsked(Exception):
    """The service did not answer for every version."""


def ask(constraints: Path, service: str, cache: Path | None = None) -> list[dict[str, Any]]:
    """Return the known vulnerabilities of each version; raise `NotAsked` unless the service answered for all."""
    options = [
        "--requirement",
        str(constraints),
        "--no-deps",
        "--disable-pip",
        "--format=json",
        "--progress-spinner=off",
    ]
    where = ["--vulnerability-service=osv", f"--osv-url={service}", *([f"--cache-dir={cache}"] if cache else [])]
    command = [sys.executable, "-m", "pip_audit", *options, *where]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        raise NotAsked(f"no answer within {_PATIENCE:.0f} s") from None
    except (ValueError, KeyError):
        raise NotAsked((done.stderr.strip().splitlines() or ["pip-audit printed nothing"])[-1]) from None
    skipped = [one["name"] for one in found if "skip_reason" in one]
    if skipped or len(found) != pinned(constraints):
        raise NotAsked(f"{len(found) - len(skipped)} of {pinned(constraints)} versions were asked about")
    return found


def pinned(constraints: Path) -> int:
    """Count the versions that a file pins."""
    return sum("==" in line for line in constraints.read_text().splitlines() if not line.startswith("#"))


def main(arguments: list[str] | None = None) -> int:
    """Print the result in one line."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.audit", description="Known vulnerabilities of pinned versions."
    )
    parser.add_argument(
        "--constraints", type=Path, default=CONSTRAINTS, help="the file with the pinned versions (constraints.txt)"
    )
    parser.add_argument("--service", default=SERVICE, help="address of a service with the API of OSV")
    parser.add_argument("--cache", type=Path, help="cache folder for answers of the service")
    chosen = parser.parse_args(arguments)
    try:
        found = ask(chosen.constraints, chosen.service, chosen.cache)
    except NotAsked as why:
        print(f"audit: NOT DONE, {chosen.service} could not be asked: {why}", file=sys.stderr)
        return NOT_ASKED
    known = [(one, flaw) for one in found for flaw in one["vulns"]]
    for one, flaw in known:
        fixed = f"fixed in {', '.join(flaw['fix_versions'])}" if flaw["fix_versions"] else "not fixed yet"
        print(f"{one['name']} {one['version']}: {flaw['id']} ({fixed})")
    if known:
        print(f"audit: {len(known)} known in {len(found)} versions", file=sys.stderr)
        return SOME
    print(f"audit: none known in {len(found)} versions")
    return NONE


if __name__ == "__main__":
    sys.exit(main())
