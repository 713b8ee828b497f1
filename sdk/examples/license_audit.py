"""Audits the licences of a Python environment's installed distributions, and asks somebody about the doubtful ones.

One step collects them, one step per distribution reads its metadata and classifies it, one writes the report. Killed at
any point, the run goes on with the first distribution that is not recorded yet; while it waits for somebody it holds nothing.
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

# What a reader must look at comes first.
_ORDER = [Category.STRONG, Category.WEAK, Category.UNKNOWN, Category.PERMISSIVE]


@agent
def license_audit(run: Run, path: str | None = None, ask_about: tuple[Category, ...] = DOUBTFUL) -> Row:
    """Audit the site-packages folder `path`, or by default the environment that executes this agent.

    Somebody is asked whether the distributions of the categories `ask_about` may stay; the report says what was decided.
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
    """Ask whether these may stay; whatever is answered, the report is written."""
    shown = [{"name": row["name"], "version": row["version"], "licence": row["licence"] or "?", "category": row["category"],
              "said by": _source(row)} for row in doubtful[:MOST_SHOWN]]  # fmt: skip
    which = "one distribution" if len(doubtful) == 1 else f"{len(doubtful)} distributions"
    decision = run.approve(f"May {which} with a doubtful licence stay?", details=shown, on_deny="return")
    return verdict(decision, len(doubtful))


def verdict(decision: Decision, count: int) -> Row:
    """Put a decision into the report's own words."""
    return {"approved": decision.approved, "by": decision.by, "comment": decision.comment, "distributions": count}


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
