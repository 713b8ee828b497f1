# Written by `python -m ops.generated` from sdk/taxiway/legible.py: change it there.
"""Legible form of agents' texts: characters that are invisible or reverse the text beside them are shown by name.

An approval is only valid for what its reader saw. A right-to-left override makes `exe.fdp` look like a document, a direction
mark makes `100-5` read `5-100`, and tag characters carry whole sentences that no screen shows. Two texts therefore never
look equal because of something invisible: an invisible character stays only if its neighbours make it visible, as in a
joined emoji, and is shown as `⟨U+200D⟩` everywhere else. Pages, the command line and messages all use this rule.
"""

import re
import unicodedata
from enum import Enum
from functools import lru_cache


def _ranges(text: str) -> frozenset[int]:
    """Return the code points of a list of hexadecimal numbers and ranges."""
    ends = [[int(end, 16) for end in one.split("-")] for one in text.split()]
    return frozenset(point for first, *last in ends for point in range(first, (last or [first])[0] + 1))


# Unicode's Default_Ignorable_Code_Point, which Python's tables lack. A test compares it with a browser's table.
IGNORABLE = _ranges(
    "AD 34F 61C 115F-1160 17B4-17B5 180B-180F 200B-200F 202A-202E 2060-206F 3164 FE00-FE0F FEFF FFA0 FFF0-FFF8 "
    "1BCA0-1BCA3 1D173-1D17A E0000-E0FFF"
)
# Letters and symbols that are blank: Braille, a null note, a filler, hieroglyphs, and the object replacement.
BLANK = _ranges("2800 FFFC 13441-13442 16FE4 1D159")
# Unicode's Emoji without digits and signs. Some are younger than the tables of an older Python.
EMOJI = _ranges(
    "A9 AE 203C 2049 2122 2139 2194-2199 21A9-21AA 231A-231B 2328 23CF 23E9-23F3 23F8-23FA 24C2 25AA-25AB 25B6 25C0 "
    "25FB-25FE 2600-2604 260E 2611 2614-2615 2618 261D 2620 2622-2623 2626 262A 262E-262F 2638-263A 2640 2642 "
    "2648-2653 265F-2660 2663 2665-2666 2668 267B 267E-267F 2692-2697 2699 269B-269C 26A0-26A1 26A7 26AA-26AB "
    "26B0-26B1 26BD-26BE 26C4-26C5 26C8 26CE-26CF 26D1 26D3-26D4 26E9-26EA 26F0-26F5 26F7-26FA 26FD 2702 2705 "
    "2708-270D 270F 2712 2714 2716 271D 2721 2728 2733-2734 2744 2747 274C 274E 2753-2755 2757 2763-2764 2795-2797 "
    "27A1 27B0 27BF 2934-2935 2B05-2B07 2B1B-2B1C 2B50 2B55 3030 303D 3297 3299 1F004 1F0CF 1F170-1F171 1F17E-1F17F "
    "1F18E 1F191-1F19A 1F1E6-1F1FF 1F201-1F202 1F21A 1F22F 1F232-1F23A 1F250-1F251 1F300-1F321 1F324-1F393 "
    "1F396-1F397 1F399-1F39B 1F39E-1F3F0 1F3F3-1F3F5 1F3F7-1F4FD 1F4FF-1F53D 1F549-1F54E 1F550-1F567 1F56F-1F570 "
    "1F573-1F57A 1F587 1F58A-1F58D 1F590 1F595-1F596 1F5A4-1F5A5 1F5A8 1F5B1-1F5B2 1F5BC 1F5C2-1F5C4 1F5D1-1F5D3 "
    "1F5DC-1F5DE 1F5E1 1F5E3 1F5E8 1F5EF 1F5F3 1F5FA-1F64F 1F680-1F6C5 1F6CB-1F6D2 1F6D5-1F6D8 1F6DC-1F6E5 1F6E9 "
    "1F6EB-1F6EC 1F6F0 1F6F3-1F6FC 1F7E0-1F7EB 1F7F0 1F90C-1F93A 1F93C-1F945 1F947-1F9FF 1FA70-1FA7C 1FA80-1FA8A "
    "1FA8E-1FAC6 1FAC8 1FACD-1FADC 1FADF-1FAEA 1FAEF-1FAF8 "
)
_ZWNJ, _ZWJ, _TEXT_STYLE, _EMOJI_STYLE, _KEYCAP = "\u200c", "\u200d", "\ufe0e", "\ufe0f", "\u20e3"
# Arabic letters that join the next one, and letters that join the one before. A non-joiner is visible between these two only.
_JOINING = _ranges(
    "620 626 628 62A-62E 633-63F 641-647 649-64A 66E-66F 678-687 69A-6BF 6C1-6C2 6CC 6CE 6D0-6D1 6FA-6FC 6FF 750-758 "
    "75C-76A 76D-770 772 775-777 77A-77F"
)
_JOINED = _ranges("620 622-63F 641-64A 66E-66F 671-673 675-6D3 6D5 6EE-6EF 6FA-6FC 6FF 750-77F")
# Scripts in which a joiner behind a virama changes the shape: Devanagari to Oriya, Telugu to Sinhala, and not Tamil.
_CONJUNCT = _ranges("900-B7F C00-DFF")

_MOST_MARKS = 4
"""Marks on one letter; more would cover the line above."""
_MOST_LINES, _MOST_BLANKS = 8, 64
"""Line ends and blanks in a row; more would move the following text out of sight."""
_LONG = re.compile(f"(\n(?:[ \t]*\n){{{_MOST_LINES},}})|([ \t]{{{_MOST_BLANKS + 1},}})")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_BETWEEN = r"[ \u00a0\u202f.,:;/+\-\u2010-\u2015\u2212\u00b1\u00d7*=^~$\u20ac\u00a3\u00a5()]*"
_NUMBERS = re.compile(rf"(?:(?<!\w)[-+\u2212\u00b1$\u20ac\u00a3\u00a5]{{1,2}})?\d+(?:{_BETWEEN}\d+)*[%\u2030]?")


class _Kind(Enum):
    SEEN = "seen"
    MARK = "mark"  # on the letter before it
    GAP = "gap"  # a blank that is not the space of the keyboard
    JOINER = "joiner"  # visible between some neighbours
    UNSEEN = "unseen"


@lru_cache(maxsize=1 << 14)
def _kind(character: str) -> _Kind:
    point, category = ord(character), unicodedata.category(character)
    if character in "\n\t" or point in EMOJI:
        return _Kind.SEEN
    if character in (_ZWNJ, _ZWJ, _TEXT_STYLE, _EMOJI_STYLE):
        return _Kind.JOINER
    if character in "\u00a0\u202f\u3000":
        return _Kind.GAP
    if point in IGNORABLE or point in BLANK or category[0] == "C" or (category[0] == "Z" and character != " "):
        return _Kind.UNSEEN
    return _Kind.MARK if category in ("Mn", "Me") else _Kind.SEEN


def legible(text: str) -> str:
    """Return the text with its line ends as `\\n`, and every invisible character as `⟨U+202E⟩`.

    Long runs of blanks and of empty lines become `⟨998 times U+000A⟩`. A number beside right-to-left letters keeps its order,
    because it is enclosed in Unicode's isolates.
    """
    text = text.replace("\r\n", "\n")
    if text.isascii():
        return _LONG.sub(_counted, _CONTROLS.sub(lambda found: _name(found[0]), text))
    shown = _LONG.sub(_counted, "".join(_shown(text)))
    return _NUMBERS.sub(_apart, shown) if _turns(shown) else shown


def legible_line(text: str) -> str:
    """Return the text as `legible` does, in one line and isolated, so that it does not reverse the text beside it."""
    return isolated(legible(text).replace("\n", "⟨U+000A⟩").replace("\t", " "))


def isolated(shown: str) -> str:
    """Return a legible text with isolates around each line with right-to-left letters, for places without markup."""
    if not _turns(shown):
        return shown
    return "\n".join(f"\u2068{line}\u2069" if _turns(line) else line for line in shown.split("\n"))


def _shown(text: str) -> list[str]:
    shown, marks, on_letter = [], 0, False
    for place, character in enumerate(text):
        kind = _kind(character)
        if kind is _Kind.MARK:
            marks += 1
            stays = on_letter and marks <= _MOST_MARKS
        else:
            stays = kind is _Kind.SEEN or (kind is not _Kind.UNSEEN and _has_effect(text, place))
            if kind is not _Kind.JOINER or not stays:
                marks, on_letter = 0, stays and not character.isspace()
        shown.append(character if stays else _name(character))
    return shown


def _has_effect(text: str, place: int) -> bool:
    """Return whether this joiner or gap is visible between its neighbours."""
    character, before, after = text[place], text[place - 1 : place], text[place + 1 : place + 2]
    if character in (_TEXT_STYLE, _EMOJI_STYLE):
        return before != "" and (ord(before) in EMOJI or (before in "#*0123456789" and after == _KEYCAP))
    if _kind(character) is _Kind.GAP:
        return _is_seen(before) and _is_seen(after) and (character != "\u3000" or _is_wide(before) or _is_wide(after))
    if after == "" or before == "":
        return False
    if unicodedata.combining(before) == 9:  # a virama
        return ord(before) in _CONJUNCT and ord(after) in _CONJUNCT and unicodedata.category(after) == "Lo"
    if character == _ZWNJ:
        return ord(before) in _JOINING and ord(after) in _JOINED
    if before == _EMOJI_STYLE:
        before = text[place - 2 : place - 1]
    return before != "" and ord(before) in EMOJI and ord(after) in EMOJI


def _is_seen(character: str) -> bool:
    return character != "" and not character.isspace() and _kind(character) in (_Kind.SEEN, _Kind.MARK)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in ("W", "F")


def _turns(text: str) -> bool:
    """Return whether a text has letters or numbers that are written from right to left."""
    return not text.isascii() and any(unicodedata.bidirectional(one) in ("R", "AL", "AN") for one in set(text))


def _name(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"


def _counted(found: re.Match[str]) -> str:
    if found[1]:
        return f"\n⟨{found[1].count(chr(10)) - 2} times U+000A⟩\n"
    return f" ⟨{len(found[0]) - 2} times U+{ord(found[0][0]):04X}⟩ "


def _apart(found: re.Match[str]) -> str:
    return found[0] if found[0].isdecimal() else f"\u2066{found[0]}\u2069"
