"""Licences by the phrases that only their own text contains."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """The mark of a licence: its text contains `phrase` and `also`, but not `never`."""

    licence: str
    phrase: str
    also: str = ""
    never: str = ""


_GRANT = r"permission to use, copy, modify,? and(/or)? distribute this software for any purpose with or without fee"
_DOCUMENTED = r"permission to use, copy, modify,? and distribute this software and its documentation for any purpose"
_FREE = r"permission is hereby granted, free of charge, to any person obtaining a copy"
_KEEP_NOTICE = r"above copyright notice and this permission notice"
_SOURCE = r"redistributions? of source code must retain"
_NO_NAMES = (
    r"neither the names? of|names? of .{1,80} (may not|must not) be used to endorse|be used to endorse or promote"
)
_ADVERTISING = r"all advertising materials mentioning"

# The GNU licences mention one another; therefore the title with its version counts, and the first match wins.
MARKS = (
    Mark("AGPL-3.0", r"gnu affero general public license,? version 3"),
    Mark("LGPL-3.0", r"gnu lesser general public license,? version 3"),
    Mark("LGPL-2.1", r"gnu lesser general public license,? version 2\.1"),
    Mark("LGPL-2.0", r"gnu library general public license,? version 2"),
    Mark("GPL-3.0", r"gnu general public license,? version 3"),
    Mark("GPL-2.0", r"gnu general public license,? version 2"),
    Mark("MPL-2.0", r"mozilla public license,? (version|v\.) ?2\.0"),
    Mark("EPL-2.0", r"eclipse public license ?-? ?v ?2\.0"),
    Mark("Apache-2.0", r"apache license,? version 2\.0"),
    Mark("BSD-4-Clause", _SOURCE, also=_ADVERTISING),
    Mark("BSD-3-Clause", _SOURCE, also=_NO_NAMES, never=_ADVERTISING),
    Mark("BSD-2-Clause", _SOURCE, never=f"{_NO_NAMES}|{_ADVERTISING}"),
    Mark("MIT", _FREE, also=_KEEP_NOTICE),
    Mark("MIT-0", _FREE, never=_KEEP_NOTICE),
    Mark("ISC", _GRANT, also=_KEEP_NOTICE),
    Mark("0BSD", _GRANT, never=_KEEP_NOTICE),
    Mark("PostgreSQL", _DOCUMENTED + r",? without fee,? and without a written agreement"),
    Mark("HPND", _DOCUMENTED + r",?( and)? without fee", never="without a written agreement"),
    Mark("PSF-2.0", r"python software foundation license version 2|psf license agreement"),
    Mark("Unlicense", r"free and unencumbered software released into the public domain"),
    Mark("Zlib", r"altered source versions must be plainly marked"),
    Mark("CC0-1.0", r"cc0 1\.0 universal"),
    Mark("BSL-1.0", r"boost software license ?-? version 1\.0"),
    Mark("ZPL-2.1", r"zope public license \(zpl\) version 2\.1"),
    Mark("WTFPL", r"do what the fuck you want to public license"),
)


def recognise(text: str) -> tuple[str, str] | None:
    """Return the licence whose phrase comes first in the text, and that phrase; None without a match."""
    plain = _plain(text)
    best: tuple[int, str, str] | None = None
    for mark in MARKS:
        match = re.search(mark.phrase, plain)
        if match is None or (mark.also and not re.search(mark.also, plain)):
            continue
        if mark.never and re.search(mark.never, plain):
            continue
        if best is None or match.start() < best[0]:
            best = (match.start(), mark.licence, match[0])
    return (best[1], best[2]) if best else None


def _plain(text: str) -> str:
    """Return the text in lower case, with one space between words, without the marks of Markdown and comments."""
    return " ".join(re.sub(r"[*#_`>\"]+", " ", text).lower().split())
