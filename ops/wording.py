"""Words of the house: finds words in comments, docstrings, messages and pages that have a plainer replacement.

`python -m ops.wording [PATH …]`: without a path, all files of the project. docs/contributing.md explains the rules.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPLACEMENTS = {
    r"whoever|whomever": "the role: caller, worker, host, transaction, user",
    r"some(?:body|one)|any(?:body|one)|every(?:body|one)": "the role: caller, worker, host, transaction, user, people",
    r"that which": "what",
    r"go(?:es|ing)? on|went on|gone on": "continues, resumes",
    r"(?:stand|stands|stood|standing) still": "is parked, waits",
    r"(?:is|are|be|been|was|were|being) told": "receives, is published, is informed",
    r"(?:come|comes|came|coming) to (?!an? |the |its? |their |be\b)": "the result is",
    r"(?:came|comes|come|become|became|becomes) of": "the result of",
    r"let(?:s|ting)? go": "release",
    r"knock(?:s|ed|ing)?": "lock",
    r"at once": "immediately; concurrently, at the same time",
    r"anew": "again",
    r"meanwhile": "concurrently; in the meantime is often not needed at all",
    r"no more(?! than)": "no longer",
    r"there (?:is|are) none": "it is missing, none exists",
    r"place to look at": "needs a recheck",
}
"""Each word that must not come back, as a pattern, with what is written instead."""

OPENINGS = {"Give", "Gives", "Say", "Says", "Have", "Has", "Let", "Lets", "Tell", "Tells"}
"""A docstring says what a function does by Return, Raise, Yield, Read, Write, Lock, Publish."""
MODULE_OPENINGS = {"How", "What", "That", "Who", "Whose", "Which", "Where", "When", "Whether", "Until", "Why"}
"""The first line of a module begins with its noun."""

_BANNED = re.compile(rf"\b(?:{'|'.join(REPLACEMENTS)})", re.IGNORECASE)
_CODE = re.compile(r"`[^`\n]*`|\"[^\"\n]*\"|“[^”]*”|«[^»]*»")
_FENCE = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)", re.MULTILINE | re.DOTALL)
_SKIPPED = (
    "CHANGELOG.md",
    "docs/openapi.json",
    "docs/benchmarks.json",
    "ops/wording.py",
    "tests/rules/test_wording.py",
)
_TEXTS = (".md", ".html", ".jinja")


@dataclass(frozen=True)
class Finding:
    """A word that has a replacement, and where it stands."""

    path: str
    line: int
    word: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word!r}: write {self.instead}"


def in_file(path: str, text: str) -> Iterator[Finding]:
    """Yield the findings of one file, whose path is relative to the root."""
    if path.endswith(".py"):
        yield from _in_python(path, text)
    else:
        yield from _in_prose(path, 1, _FENCE.sub(lambda found: "\n" * found.group().count("\n"), text))


def _in_python(path: str, text: str) -> Iterator[Finding]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield from _in_prose(path, token.start[0], token.string)
    tests = path.startswith("tests/")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not tests:
            yield from _in_prose(path, node.lineno, node.value)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.body:
            yield from _in_docstring(path, node, tests=tests)


def _in_docstring(
    path: str, node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, *, tests: bool
) -> Iterator[Finding]:
    docstring = ast.get_docstring(node, clean=False)
    if not docstring:
        return
    line = node.body[0].lineno
    if tests:
        yield from _in_prose(path, line, docstring)
    word = re.split(r"\W", docstring.lstrip(), maxsplit=1)[0]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and word in OPENINGS:
        yield Finding(path, line, word, "Return, Raise, Yield, Read, Write, Lock, Publish, or another plain verb")
    if isinstance(node, ast.Module) and word in MODULE_OPENINGS and not tests:
        yield Finding(path, line, word, "the noun first")


def _in_prose(path: str, line: int, text: str) -> Iterator[Finding]:
    plain = _CODE.sub(lambda found: " " * len(found.group()), text)
    for found in _BANNED.finditer(plain):
        instead = next(to for what, to in REPLACEMENTS.items() if re.match(what, found.group(), re.IGNORECASE))
        yield Finding(path, line + plain.count("\n", 0, found.start()), found.group(), instead)


def files(wanted: list[str]) -> list[str]:
    """Return the paths of all files that are judged, below the wanted ones."""
    command = ["git", "ls-files", *wanted]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for path in listed.splitlines() if path.endswith((".py", *_TEXTS)) and path not in _SKIPPED]


def main(arguments: list[str]) -> int:
    """Print every finding; return 1 if there is one."""
    paths = [path for path in files(arguments) if (ROOT / path).exists()]
    found = [finding for path in paths for finding in in_file(path, (ROOT / path).read_text())]
    for finding in found:
        print(finding, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
