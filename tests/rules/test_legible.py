"""Invisible characters in a text of an agent are named, unless their neighbours make them visible."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taxiway import legible as of_sdk

from models.runtime import legible as of_server
from models.runtime.legible import IGNORABLE, isolated, legible, legible_line

HIDDEN = sorted(
    IGNORABLE | {0x2800, 0xFFFC, 0x16FE4, 0x1D159, 0x1680, 0x2000, 0x200A, 0x205F, 0x2028, 0xE000, 0xFFFE, 0x378}
)


def test_the_server_and_the_command_line_follow_one_rule() -> None:
    assert Path(of_server.__file__).read_text().partition("\n")[2] == Path(of_sdk.__file__).read_text()


def test_no_invisible_character_stays_in_latin_words() -> None:
    for point in HIDDEN:
        assert legible(f"pay{chr(point)}pal") == f"pay⟨U+{point:04X}⟩pal"
        assert legible(f"1{chr(point)}00{chr(point)}") == f"1⟨U+{point:04X}⟩00⟨U+{point:04X}⟩"


@pytest.mark.parametrize(
    "text",
    ["❤️ ⚡️ ❤︎", "1️⃣ #️⃣", "👩‍👧 👩🏽‍⚕️ 🏳️‍🌈", "می‌خواهم", "क्‍ष क्‌ष", "ශ්‍රී", "10\u202f000\u00a0€", "漢\u3000字", "é ế", "שָׁלוֹם",
     "กี่", "\U0001fae8", "tab\tand\nlines\n\n\nend", " " * 64, "\n" * 8],
)  # fmt: skip
def test_what_spelling_needs_and_a_reader_sees_stays(text: str) -> None:
    assert legible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u200db", "a⟨U+200D⟩b"),
        ("👩\u200d", "👩⟨U+200D⟩"),
        ("👩\u200d\u200d👧", "👩⟨U+200D⟩⟨U+200D⟩👧"),
        ("❤\ufe0f\ufe0f", "❤\ufe0f⟨U+FE0F⟩"),
        ("1\ufe0f", "1⟨U+FE0F⟩"),
        ("漢\ufe00字\U000e0100", "漢⟨U+FE00⟩字⟨U+E0100⟩"),
        ("\u0631\u200c\u06a9", "\u0631⟨U+200C⟩\u06a9"),  # its last letter joins no other, so a non-joiner changes nothing
        ("தமிழ்\u200cத", "தமிழ்⟨U+200C⟩த"),
        ("a\u00a0 b\u00a0", "a⟨U+00A0⟩ b⟨U+00A0⟩"),
        ("pay\u3000pal", "pay⟨U+3000⟩pal"),
        ("\u0301a", "⟨U+0301⟩a"),
        ("a\u200b\u0301", "a⟨U+200B⟩⟨U+0301⟩"),
        ("e" + "\u0301" * 5, "e" + "\u0301" * 4 + "⟨U+0301⟩"),
        ("5 EUR" + " " * 500 + "each", "5 EUR ⟨498 times U+0020⟩ each"),
        ("5 EUR" + "\n" * 500 + "each", "5 EUR\n⟨498 times U+000A⟩\neach"),
        ("5 EUR" + "\n \t" * 500 + "each", "5 EUR\n⟨498 times U+000A⟩\n \teach"),
        ("ab\rc", "ab⟨U+000D⟩c"),
        ("ab\x08\x08cd", "ab⟨U+0008⟩⟨U+0008⟩cd"),
        ("\x1b]8;;http://a\x1b\\b", "⟨U+001B⟩]8;;http://a⟨U+001B⟩\\b"),
    ],
)  # fmt: skip
def test_what_a_reader_cannot_see_there_is_named(text: str, shown: str) -> None:
    assert legible(text) == shown


def test_a_number_beside_letters_from_right_to_left_is_set_apart() -> None:
    assert legible("\u0627100-5 EUR, 7") == "\u0627\u2066100-5\u2069 EUR, 7"
    assert legible("100-5 EUR") == "100-5 EUR"
    assert isolated("Ann\nגד\n7") == "Ann\n\u2068גד\u2069\n7"
    assert legible_line("גד\n7") == "\u2068גד⟨U+000A⟩7\u2069"


@given(st.text())
def test_what_is_shown_names_all_that_browsers_ignore_and_is_shown_again_as_it_is(text: str) -> None:
    shown = legible(text)
    isolates = {"\u2066", "\u2069"}
    kept = {one for one in shown if ord(one) in IGNORABLE} - isolates
    assert kept <= {"\u200c", "\u200d", "\ufe0e", "\ufe0f"}
    if not isolates & set(shown):
        assert legible(shown) == shown


@pytest.mark.parametrize("piece", ["ä", "\n \t", "1-", "-", "e\u0301", "א1 - ", "\u200d", " \t" * 20 + "x"])
def test_a_text_of_any_kind_is_read_in_a_time_that_grows_with_its_length(piece: str) -> None:
    began = time.process_time()
    legible(piece * (60_000 // len(piece)) + "א")
    assert time.process_time() - began < 3, (
        "ten times what the slowest takes; a regular expression that tries anew takes hours"
    )
