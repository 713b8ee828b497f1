"""Writes all generated files; with `--check` it names the stale ones instead: `python -m ops.generated [--check]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from api.build import build
from ops.documents import architecture, facts, lifecycle, reasons, settings, sql

ROOT = Path(__file__).resolve().parent.parent
_LEGIBLE = ROOT / "sdk" / "taxiway" / "legible.py"


def openapi() -> str:
    """Return the OpenAPI document."""
    return json.dumps(build().openapi(), indent=2, ensure_ascii=False) + "\n"


def legible() -> str:
    """Return the server's copy of the rule for agents' text: SDK and server must not import each other."""
    written = "# Written by `python -m ops.generated` from sdk/taxiway/legible.py: change it there."
    return f"{written}\n{_LEGIBLE.read_text()}"


GENERATED: Mapping[str, Callable[[], str]] = {
    "docs/architecture.md": architecture.text,
    "docs/facts.md": facts.text,
    "docs/lifecycle.md": lifecycle.text,
    "docs/openapi.json": openapi,
    "docs/reasons.md": reasons.text,
    "docs/settings.md": settings.text,
    **sql.documents(),
    "models/runtime/legible.py": legible,
}


def stale() -> list[str]:
    """Return the paths whose content differs from the generator's."""
    return [path for path, text in GENERATED.items() if _content(ROOT / path) != text()]


def write() -> None:
    """Write all of them."""
    for path, text in GENERATED.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text())


def _content(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def main(arguments: list[str]) -> int:
    if arguments != ["--check"]:
        write()
        return 0
    old = stale()
    for path in old:
        print(f"{path} is stale: run `python -m ops.generated` and commit it.", file=sys.stderr)
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
