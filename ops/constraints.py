"""Prints the installed versions of everything that the server, its extras and the SDK need.

python -m ops.constraints > constraints.txt
"""

from __future__ import annotations

from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = {"taxiway", "taxiway-server"}
INSTALLER = {"pip"}  # every environment has its own: a pin would some day replace it by an old one
EXTRAS = {"embedded", "dev"}


def needed() -> dict[str, str]:
    """Return the version of every direct or indirect dependency of ours; other installed distributions are omitted."""
    visited: dict[str, set[str]] = {}

    def visit(name: str, extras: set[str]) -> None:
        asked = visited.setdefault(canonicalize_name(name), set())
        new = {"", *extras} - asked
        asked |= new
        for line in distribution(name).requires or [] if new else []:
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in new):
                visit(requirement.name, requirement.extras)

    visit("taxiway-server", EXTRAS)
    return {name: distribution(name).version for name in sorted(visited.keys() - OURS - INSTALLER)}


if __name__ == "__main__":
    print("# The versions that are tested together. Made by `python -m ops.constraints`.")
    for name, version in needed().items():
        print(f"{name}=={version}")
