"""Licence audit of a Python environment: classifies its distributions, and asks a person about the doubtful ones.

One step collects them, one step per distribution reads its metadata and classifies it, one writes the report. Killed at
any point, the run resumes with the first distribution that is not recorded yet. While it waits for the answer it holds no
slot.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from licences import classify, read_headers
from spdx import Category
from taxiway import Decision, Fatal, Run, agent

Row = dict[str, object]

DOUBTFUL = (Category.STRONG, Category.UNKNOWN)
MOST_SHOWN = 100

# The categories that need a reader's attention come first.
_ORDER = [Category.STRONG, Category.WEAK, Category.UNKNOWN, Category.PERMISSIVE]


@agent
def license_audit(run: Run, path: str | None = None, ask_about: tuple[Category, ...] = DOUBTFUL) -> Row:
    """Audit the site-packages folder `path`, or by default the environment that executes this agent.

    A person decides whether the distributions of the categories `ask_about` may stay; the report contains the decision.
    """
    found = run.step(collect, path)
    audited: list[Row] = []
    for done, distribution in enumerate(found):
        run.progress(done, len(found), note=distribution["name"])
        audited.append(run.using(name=f"classify {distribution['name']:.100}").step(audit, distribution))
    run.progress(len(found), len(found), note="report")
    doubtful = [row for row in audited if row["category"] in ask_about]
    return run.step(report, audited, review(run, doubtful) if doubtful else None)


def review(run: Run, doubtful: list[Row]) -> Row:
    """Ask whether these may stay; every answer leads to a report."""
    shown = [
        {
            "name": row["name"],
            "version": row["version"],
            "licence": row["licence"] or "?",
            "category": row["category"],
            "said by": _source(row),
        }
        for row in doubtful[:MOST_SHOWN]
    ]
    which = "one distribution" if len(doubtful) == 1 else f"{len(doubtful)} distributions"
    decision = run.approve(f"May {which} with a doubtful licence stay?", details=shown, on_deny="return")
    return verdict(decision, len(doubtful))


def verdict(decision: Decision, count: int) -> Row:
    """Return a decision as the report contains it."""
    return {"approved": decision.approved, "by": decision.by, "comment": decision.comment, "distributions": count}


def collect(path: str | None) -> list[dict[str, str]]:
    """List the installed distributions: name, version and the path of their metadata."""
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


def report(audited: list[Row], reviewed: Row | None) -> Row:
    """Write the report, as Markdown for people and as JSON for machines."""
    rows = sorted(audited, key=lambda row: (_ORDER.index(Category(str(row["category"]))), str(row["name"]).lower()))
    counts = {str(category): sum(row["category"] == category for row in rows) for category in _ORDER}
    return {
        "markdown": _markdown(rows, counts, reviewed),
        "json": {"distributions": rows, "counts": counts, "total": len(rows), "reviewed": reviewed},
        "counts": counts,
        "total": len(rows),
        "reviewed": reviewed,
    }


def _folders(path: str | None) -> list[Path]:
    if path is None:
        return [Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    folder = Path(path).expanduser().absolute()
    if not folder.is_dir():
        raise Fatal(f"{folder} is not a folder; pass the site-packages folder of a Python environment")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise Fatal(f"{folder} cannot be read by the user that executes agents")
    return [folder]


def _identify(metadata: Path) -> dict[str, str]:
    """Return name and version from the metadata, or from its folder's name if the metadata is broken."""
    name, _, version = metadata.stem.partition("-")
    try:
        headers = read_headers(metadata)
        name, version = str(headers.get("Name") or name), str(headers.get("Version") or version)
    except OSError:
        pass  # classify() puts this into the report
    return {"name": _plain(name), "version": _plain(version), "metadata": _plain(str(metadata))}


def _plain(text: str) -> str:
    """Return text from the disk as printable UTF-8."""
    held = text.encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else "?" for character in held)


def _source(row: Row) -> str:
    evidence = row["evidence"]
    return f"{evidence['source']}: {evidence['quote']}" if isinstance(evidence, dict) else ""


def _reviewed(reviewed: Row | None) -> list[str]:
    if reviewed is None:
        return []
    said = "may stay" if reviewed["approved"] else "must go"
    comment = f" ({reviewed['comment']})" if reviewed["comment"] else ""
    return [
        f"{reviewed['by'] or 'Nobody in time'} decided that {reviewed['distributions']} of them {said}{comment}.",
        "",
    ]


def _markdown(rows: list[Row], counts: dict[str, int], reviewed: Row | None) -> str:
    summary = ", ".join(f"{count} {category}" for category, count in counts.items() if count)
    lines = [
        "# Licence audit",
        "",
        f"{len(rows)} distributions: {summary or 'nothing to audit'}.",
        "",
        *_reviewed(reviewed),
        "| distribution | version | licence | category | evidence |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (row["name"], row["version"], row["licence"] or "?", row["category"], _source(row))
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
