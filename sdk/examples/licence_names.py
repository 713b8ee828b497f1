"""Licences by their names in classifiers and free text."""

from __future__ import annotations

import re

from spdx import Category

# The order matters: each found name is removed before the next search, so that LGPL is not found as GPL too.
_NAMES = [
    (r"\bagpl[\w.+-]*|(gnu )?affero general public licen[sc]e", "AGPL", Category.STRONG),
    (r"\blgpl[\w.+-]*|(lesser|library) general public licen[sc]e", "LGPL", Category.WEAK),
    (r"\bgpl[\w.+-]*|(gnu )?general public licen[sc]e", "GPL", Category.STRONG),
    (r"\bsspl\b|server side public licen[sc]e", "SSPL-1.0", Category.STRONG),
    (r"\bmpl\b|mozilla public licen[sc]e", "MPL", Category.WEAK),
    (r"\bepl\b|eclipse public licen[sc]e", "EPL", Category.WEAK),
    (r"\beupl|european union public licen[sc]e", "EUPL", Category.WEAK),
    (r"\bcddl|common development and distribution licen[sc]e", "CDDL", Category.WEAK),
    (r"\bofl\b|open font licen[sc]e", "OFL-1.1", Category.WEAK),
    (r"\bapache\b|\basl 2", "Apache-2.0", Category.PERMISSIVE),
    (r"\bmit-0\b|mit no attribution", "MIT-0", Category.PERMISSIVE),
    (r"\bmit\b|\bexpat\b", "MIT", Category.PERMISSIVE),
    (r"\b0bsd\b|zero.clause bsd", "0BSD", Category.PERMISSIVE),
    (r"\bbsd\W*(2|two)\b|\b(2|two)\W*clause\W*bsd|simplified bsd|freebsd", "BSD-2-Clause", Category.PERMISSIVE),
    (r"\bbsd\W*(3|three)\b|\b(3|three)\W*clause\W*bsd|(new|modified|revised) bsd", "BSD-3-Clause", Category.PERMISSIVE),
    (r"\bbsd\b", "BSD", Category.PERMISSIVE),
    (r"\biscl?\b", "ISC", Category.PERMISSIVE),
    (r"\bpsf|python software foundation", "PSF-2.0", Category.PERMISSIVE),
    (r"\bunlicense\b", "Unlicense", Category.PERMISSIVE),
    (r"\bcc0\b", "CC0-1.0", Category.PERMISSIVE),
    (r"public domain", "public domain", Category.PERMISSIVE),
    (r"\bzlib\b", "Zlib", Category.PERMISSIVE),
    (r"\bpostgresql\b", "PostgreSQL", Category.PERMISSIVE),
    (r"\bboost\b|\bbsl-1", "BSL-1.0", Category.PERMISSIVE),
    (r"\bzpl\b|zope public", "ZPL-2.1", Category.PERMISSIVE),
    (r"\bwtfpl\b", "WTFPL", Category.PERMISSIVE),
    (r"\bhpnd\b|historical permission", "HPND", Category.PERMISSIVE),
    (r"\bartistic\b", "Artistic-2.0", Category.PERMISSIVE),
    (r"\bncsa\b", "NCSA", Category.PERMISSIVE),
    (r"proprietary|commercial licen[sc]e", "proprietary", Category.UNKNOWN),
]
_PATTERNS = [(re.compile(pattern, re.IGNORECASE), name, category) for pattern, name, category in _NAMES]


def named_in(text: str) -> list[tuple[str, Category]]:
    """Return every licence that this text names, the most demanding first; empty if it names none."""
    found = []
    for pattern, name, category in _PATTERNS:
        text, times = pattern.subn(" ", text)
        if times:
            found.append((name, category))
    return found
