"""Marks that agents in tests of hosts leave outside of Taxiway."""

from __future__ import annotations

from pathlib import Path


def effects(tmp_path: Path) -> list[str]:
    """Return the marks that steps wrote to a file outside of Taxiway."""
    log = tmp_path / "effects"
    return log.read_text().split() if log.exists() else []


EFFECT = """
    LOG = Path(__file__).parent / "effects"

    def effect(what):
        with LOG.open("a") as log:
            log.write(f"{what}\\n")
"""
