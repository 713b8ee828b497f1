"""Audits the licences of a Python environment's installed distributions.

One step collects them, one step per distribution reads its metadata and classifies it, one writes the report. Killed at
any point, the run goes on with the first distribution that is not recorded yet.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from licences import classify, read_headers
from spdx import Category
from taxiway import Fatal, Run, agent

Row = dict[str, object]

# What a reader must look at comes first.
_ORDER = [Category.STRONG, Category.WEAK, Category.UNKNOWN, Category.PERMISSIVE]


@agent
def license_audit(run: Run, path: str | None = None) -> Row:
    """Audit the site-packages folder `path`, or by default the environment that executes this agent."""
    found = run.step(collect, path)
    audited: list[Row] = []
    for done, distribution in enumerate(found):
        run.progress(done, len(found), note=distribution["name"])
        audited.append(run.using(name=f"classify {distribution['name']:.100}").step(audit, distribution))
    run.progress(len(found), len(found), note="report")
    return run.step(report, audited)


def collect(path: str | None) -> list[dict[str, str]]:
    """List the installed distributions: name, version and where their metadata lies."""
    found: dict[str, dict[str, str]] = {}
    for folder in _folders(path):
        for metadata in sorted((*folder.glob("*.dist-info"), *folder.glob("*.egg-info"))):
            distribution = _identify(metadata)
            # The first one on the path is the one that Python imports.
            found.setdefault(re.sub(r"[-_.]+", "-", distribution["name"]).lower(), distribution)
    return [found[name] for name in sorted(found)]


def audit(distribution: dict[str, str]) -> Row:
    """Classify one distribution."""
    verdict = classify(Path(distribution["metadata"]))
    return {
        "name": distribution["name"],
        "version": distribution["version"],
        "licence": verdict.licence,
        "category": str(verdict.category),
        "evidence": {"source": verdict.source, "quote": verdict.quote},
    }


def report(audited: list[Row]) -> Row:
    """Write the report, as Markdown for people and as JSON for machines."""
    rows = sorted(audited, key=lambda row: (_ORDER.index(Category(str(row["category"]))), str(row["name"]).lower()))
    counts = {str(category): sum(row["category"] == category for row in rows) for category in _ORDER}
    return {
        "markdown": _markdown(rows, counts),
        "json": {"distributions": rows, "counts": counts, "total": len(rows)},
        "counts": counts,
        "total": len(rows),
    }


def _folders(path: str | None) -> list[Path]:
    if path is None:
        return [Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    folder = Path(path).expanduser().absolute()
    if not folder.is_dir():
        raise Fatal(f"{folder} is no folder; give the site-packages folder of a Python environment")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise Fatal(f"{folder} cannot be read by the user that executes agents")
    return [folder]


def _identify(metadata: Path) -> dict[str, str]:
    """Name and version by the metadata, or where it is broken by the name of its folder."""
    name, _, version = metadata.stem.partition("-")
    try:
        headers = read_headers(metadata)
        name, version = str(headers.get("Name") or name), str(headers.get("Version") or version)
    except OSError:
        pass  # classify() says so in the report
    return {"name": _plain(name), "version": _plain(version), "metadata": _plain(str(metadata))}


def _plain(text: str) -> str:
    """Printable text that UTF-8 can hold, whatever lay on the disk."""
    held = text.encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else "?" for character in held)


def _markdown(rows: list[Row], counts: dict[str, int]) -> str:
    summary = ", ".join(f"{count} {category}" for category, count in counts.items() if count)
    lines = [
        "# Licence audit",
        "",
        f"{len(rows)} distributions: {summary or 'nothing to audit'}.",
        "",
        "| distribution | version | licence | category | evidence |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        evidence = row["evidence"]
        said = f"{evidence['source']}: {evidence['quote']}" if isinstance(evidence, dict) else ""
        cells = (row["name"], row["version"], row["licence"] or "?", row["category"], said)
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
