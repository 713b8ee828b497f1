"""Makes text of agents safe to read: what a reader cannot see, or what turns other text around, is named in its place.

An approval is only worth what its reader saw. A right-to-left override makes `exe.fdp` look like a document, and tag
characters carry whole sentences that no screen shows.
"""

import unicodedata

# Joiners that spelling needs, marks of direction that turn nothing around, and the soft hyphen.
_HARMLESS = frozenset("\n\t\u200c\u200d\u200e\u200f\u061c\u00ad")
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))


def legible(text: str) -> str:
    """Give the text with its line ends as `\\n`, and every character that cannot be seen as `⟨U+202E⟩`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii() and text.isprintable():
        return text
    return "".join([character if _is_seen(character) else f"⟨U+{ord(character):04X}⟩" for character in text])


def _is_seen(character: str) -> bool:
    return character in _HARMLESS or unicodedata.category(character) not in _UNSEEN
