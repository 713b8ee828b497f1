"""Licence of a distribution, with the source that declares it.

The first of these decides: `License-Expression`, the `License ::` classifiers, the `License` field, licence files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import spdx
from licence_names import named_in
from licence_texts import recognise
from spdx import Category

LONGEST_FILE = 256 * 1024
LONGEST_QUOTE = 80
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NO_LICENCE = re.compile(r"^(authors|contributors|notice)", re.IGNORECASE)


@dataclass(frozen=True)
class Verdict:
    """A licence, its category, and the evidence: the source, and a short quote of it."""

    licence: str
    category: Category
    source: str
    quote: str


def read_headers(metadata: Path) -> Message:
    """Read the headers of a `.dist-info` or `.egg-info` (a folder, or the old single file); raise OSError."""
    file = metadata
    if not metadata.is_file():
        file = metadata / ("METADATA" if metadata.suffix == ".dist-info" else "PKG-INFO")
    return HeaderParser().parsestr(_read(file))


def classify(metadata: Path) -> Verdict:
    """Return the licence of the distribution with this metadata; never raise, but return unknown."""
    try:
        headers = read_headers(metadata)
        verdict = (
            from_expression(_field(headers, "License-Expression"))
            or from_classifiers([str(value) for value in headers.get_all("Classifier", [])])
            or from_field(_field(headers, "License"))
            or from_files(licence_files(headers, metadata))
        )
    except (OSError, ValueError, RuntimeError) as error:  # the last one is a loop of symbolic links
        why = error.strerror if isinstance(error, OSError) else str(error)
        return Verdict("", Category.UNKNOWN, "none", f"metadata cannot be read: {why}")
    return verdict or Verdict("", Category.UNKNOWN, "none", _what_was_said(headers))


def from_expression(text: str) -> Verdict | None:
    """Judge an SPDX expression; None if missing or malformed. A valid one decides, even if it is unknown."""
    try:
        return Verdict(text, spdx.category(text), "License-Expression", _short(text))
    except ValueError:
        return None


def from_classifiers(classifiers: list[str]) -> Verdict | None:
    """Judge by the licence classifiers. Several are taken to hold together, because they do not offer a choice."""
    texts = [text for text in classifiers if text.startswith("License ::")]
    return _judge(named_in("; ".join(text.rpartition("::")[2] for text in texts)), "classifier", "; ".join(texts))


def from_field(text: str) -> Verdict | None:
    """Judge the old free-text field: an expression, a name, or a whole licence text."""
    try:
        category = spdx.category(text)
    except ValueError:
        category = Category.UNKNOWN
    if category is not Category.UNKNOWN:
        return Verdict(text, category, "License field", _short(text))
    recognised = recognise(text)
    if recognised:
        return Verdict(recognised[0], spdx.of_licence(recognised[0]), "License field", _short(recognised[1]))
    title = text.strip().partition("\n")[0]
    return _judge(named_in(title), "License field", title)


def from_files(files: list[Path]) -> Verdict | None:
    """Judge by the texts of licence files; several hold together."""
    found = [(file.name, recognised) for file in files if (recognised := recognise(_read(file)))]
    named = {licence: spdx.of_licence(licence) for _, (licence, _) in found}
    sources = ", ".join(dict.fromkeys(name for name, _ in found))
    return _judge(list(named.items()), f"licence file {sources}", found[0][1][1] if found else "")


def licence_files(headers: Message, metadata: Path) -> list[Path]:
    """Return the licence files that the metadata lists or that are beside it; none outside its folder."""
    listed = [str(name) for name in headers.get_all("License-File", [])]
    candidates = [folder / name for name in listed for folder in (metadata / "licenses", metadata)]
    candidates += _beside(metadata)
    inside = [file for file in candidates if file.resolve().is_relative_to(metadata.resolve()) and file.is_file()]
    return [file for file in dict.fromkeys(inside) if not _NO_LICENCE.match(file.name)]


def _beside(metadata: Path) -> Iterator[Path]:
    for folder in (metadata, metadata / "licenses"):
        for pattern in ("LICEN[CS]E*", "COPYING*", "UNLICENSE*", "licen[cs]e*"):
            yield from sorted(folder.glob(pattern))


def _judge(named: list[tuple[str, Category]], source: str, quote: str) -> Verdict | None:
    if not named:
        return None
    category = spdx.most_restrictive([category for _, category in named])
    return Verdict(", ".join(name for name, _ in named), category, source, _short(quote))


def _what_was_said(headers: Message) -> str:
    for name in ("License-Expression", "License"):
        text = _field(headers, name)
        if text:
            return _short(f"{name}: {text}")
    return "neither the metadata nor a file names a licence"


def _field(headers: Message, name: str) -> str:
    text = str(headers.get(name, "")).strip()
    return "" if text.upper() in ("UNKNOWN", "NONE") else text


def _read(file: Path) -> str:
    with file.open("rb") as opened:
        text = opened.read(LONGEST_FILE).decode("utf-8", "replace")
    # Broken metadata may contain NUL and other control characters, which databases and terminals do not take.
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_QUOTE else f"{line[: LONGEST_QUOTE - 1]}…"
