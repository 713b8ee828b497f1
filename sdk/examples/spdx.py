"""Category of an SPDX licence expression, one of four.

Grammar (SPDX 2.3, annex D), AND binds tighter than OR:

    any  = all ("OR" all)*          the licensee chooses: the most permissive licence counts
    all  = one ("AND" one)*         every licence holds: the most restrictive licence counts
    one  = "(" any ")" | id ["+"] ["WITH" exception]
"""

from __future__ import annotations

import re
from enum import StrEnum


class Category(StrEnum):
    """What a licence requires from a distributor of the software."""

    PERMISSIVE = "permissive"
    WEAK = "weak copyleft"
    STRONG = "strong copyleft"
    UNKNOWN = "unknown"


# Unknown is between weak and strong: beside a strong licence it changes nothing, beside the others it decides.
_RESTRICTIVENESS = [Category.PERMISSIVE, Category.WEAK, Category.UNKNOWN, Category.STRONG]

_PERMISSIVE = """
    0BSD AFL-2.1 AFL-3.0 Apache-1.1 Apache-2.0 Artistic-2.0 BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause
    BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSD-4-Clause BSD-Source-Code BSL-1.0 bzip2-1.0.6
    CC-BY-3.0 CC-BY-4.0 CC0-1.0 CNRI-Python curl FTL HPND HPND-sell-variant IJG ISC JSON libpng libpng-2.0
    libtiff MIT MIT-0 MIT-CMU MIT-Modern-Variant MulanPSL-2.0 NCSA OpenSSL PostgreSQL PSF-2.0 Python-2.0
    Python-2.0.1 TCL Unicode-3.0 Unicode-DFS-2016 Unlicense UPL-1.0 W3C WTFPL X11 zlib zlib-acknowledgement
    ZPL-2.0 ZPL-2.1
"""
_WEAK = """
    CDDL-1.0 CDDL-1.1 CECILL-C CPL-1.0 EPL-1.0 EPL-2.0 EUPL-1.1 EUPL-1.2 IPL-1.0 LGPL-2.0 LGPL-2.1 LGPL-3.0
    MPL-1.0 MPL-1.1 MPL-2.0 MPL-2.0-no-copyleft-exception MS-RL OFL-1.1
"""
_STRONG = """
    AGPL-1.0 AGPL-3.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CECILL-2.1 GPL-1.0 GPL-2.0 GPL-3.0 OSL-3.0 QPL-1.0 Sleepycat
    SSPL-1.0
"""
_CATEGORIES = {
    name.lower(): category
    for category, names in ((Category.PERMISSIVE, _PERMISSIVE), (Category.WEAK, _WEAK), (Category.STRONG, _STRONG))
    for name in names.split()
}
# Exceptions that let other code link to the licensed code without coming under its licence.
_LINKING = ("classpath", "gcc", "linking", "autoconf", "bison", "bootloader", "font", "libtool", "llvm", "runtime")

_TOKEN = re.compile(r"\s*(\(|\)|[A-Za-z0-9.+:-]+)")


def category(expression: str) -> Category:
    """Return the category of an expression; licences that this table does not know are UNKNOWN.

    Raises ValueError if the text is not an SPDX expression.
    """
    tokens = _tokens(expression)
    found = _any(tokens)
    if tokens:
        raise ValueError(f"unexpected {tokens[0]!r}")
    return found


def most_restrictive(categories: list[Category]) -> Category:
    """Return the category of licences that all hold together."""
    return max(categories, key=_RESTRICTIVENESS.index)


def most_permissive(categories: list[Category]) -> Category:
    """Return the category of a choice of licences; an unknown one is chosen only if all are unknown."""
    known = [category for category in categories if category is not Category.UNKNOWN]
    return min(known, key=_RESTRICTIVENESS.index, default=Category.UNKNOWN)


def of_licence(name: str) -> Category:
    """Return the category of one licence id, in any case, with or without `+`, `-only` and `-or-later`."""
    bare = name.lower().removesuffix("+").removesuffix("-only").removesuffix("-or-later")
    return _CATEGORIES.get(bare, Category.UNKNOWN)


def _tokens(expression: str) -> list[str]:
    tokens, position = [], 0
    text = expression.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"cannot read {text[position : position + 20]!r}")
        tokens.append(match[1])
        position = match.end()
    return tokens


def _any(tokens: list[str]) -> Category:
    choices = [_all(tokens)]
    while _next_is(tokens, "OR"):
        choices.append(_all(tokens))
    return most_permissive(choices)


def _all(tokens: list[str]) -> Category:
    parts = [_one(tokens)]
    while _next_is(tokens, "AND"):
        parts.append(_one(tokens))
    return most_restrictive(parts)


def _one(tokens: list[str]) -> Category:
    if _next_is(tokens, "("):
        inner = _any(tokens)
        if not _next_is(tokens, ")"):
            raise ValueError("a bracket is not closed")
        return inner
    licence = of_licence(_name(tokens))
    if not _next_is(tokens, "WITH"):
        return licence
    exception = _name(tokens).lower()
    frees_linking = any(word in exception for word in _LINKING)
    return Category.WEAK if licence is Category.STRONG and frees_linking else licence


def _name(tokens: list[str]) -> str:
    if not tokens or tokens[0] in ("(", ")") or tokens[0].upper() in ("AND", "OR", "WITH"):
        raise ValueError("a licence is missing")
    return tokens.pop(0)


def _next_is(tokens: list[str], word: str) -> bool:
    if tokens and tokens[0].upper() == word:
        tokens.pop(0)
        return True
    return False
