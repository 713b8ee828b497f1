"""Files and functions that a page names in code spans, and which of them do not exist."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SPAN = re.compile(r"`((?:api|executor|models|ops|scheduler|sdk|tests|docs)/[\w./-]*)(?::([\w.]+))?`")


def missing(text: str) -> list[str]:
    """Return the spans of a page that name no file or folder, or nothing that its file defines.

    A span is a path from the root, `models/moves.py`, or a path and a name in it, `models/moves.py:claim`.
    """
    return [span for span, path, name in _spans(text) if not _exists(path, name)]


def _spans(text: str) -> Iterator[tuple[str, str, str | None]]:
    for found in _SPAN.finditer(text):
        yield found.group(), found[1], found[2]


def _exists(path: str, name: str | None) -> bool:
    file = ROOT / path
    if name is None:
        return file.exists()
    return file.is_file() and name in _defined(file)


@functools.lru_cache(maxsize=256)
def _defined(file: Path) -> frozenset[str]:
    return frozenset(_names(ast.parse(file.read_text()).body))


def _names(body: list[ast.stmt], within: str = "") -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield within + name
            case ast.ClassDef(name=name):
                yield within + name
                yield from _names(node.body, f"{name}.")
            case ast.Assign(targets=targets):
                yield from (within + target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield within + name
