"""Prints the exact versions of everything that the server, its extras and the SDK need, as installed right now.

python -m ops.constraints > constraints.txt
"""

from __future__ import annotations

from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = {"taxiway", "taxiway-server"}
INSTALLER = {"pip"}  # which an environment has of its own: a pin would replace it, with an old one some day
EXTRAS = {"embedded", "dev"}


def needed() -> dict[str, str]:
    """Return the version of every distribution that ours need, directly or not; what else is installed is left out."""
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
