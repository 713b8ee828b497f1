"""An agent's text on a page, as a browser draws it: nothing is invisible, reversed, or over its neighbour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from api.page.question_page import Typed, question_page
from models.runtime.legible import EMOJI, IGNORABLE
from tests.rules.test_page_rendering import asked
from tests.system.browsing import DESKTOP, SMALLEST, Person, a_browser, person

ALL_OF = """property => { const found = [], wanted = new RegExp(`^\\\\p{${property}}$`, 'u')
    for (let point = 0; point < 0x110000; point++)
        if (point < 0xD800 || point > 0xDFFF) if (wanted.test(String.fromCodePoint(point))) found.push(point)
    return found }"""
# The places of a text's characters, as they are drawn: [character, line, left edge].
DRAWN = """selector => { const found = [], element = document.querySelector(selector)
    const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
    for (let node; node = walk.nextNode();) for (let place = 0; place < node.length; place++) {
        const range = document.createRange(); range.setStart(node, place); range.setEnd(node, place + 1)
        const box = range.getBoundingClientRect()
        found.push([node.data[place], Math.round(box.top / 8), box.left]) }
    return found }"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as started:
        yield started


@pytest.fixture
def reader(browser: Browser) -> Iterator[Person]:
    with person(browser, script=True) as one:
        yield one


def open_page(page: Page, **request: Any) -> None:
    page.set_content(bytes(question_page(asked(request), "the.token", Typed()).body).decode())


def order(page: Page, selector: str, of: str) -> str:
    """Read these characters of an element from left to right, as an eye does."""
    drawn = page.evaluate(DRAWN, selector)
    return "".join(character for character, *_ in sorted(drawn, key=lambda one: one[1:]) if character in of)


def test_our_tables_are_those_of_the_browser(reader: Person) -> None:
    assert set(reader.page.evaluate(ALL_OF, "Default_Ignorable_Code_Point")) == IGNORABLE
    assert set(reader.page.evaluate(ALL_OF, "Emoji")) - set(map(ord, "#*0123456789")) == EMOJI


def test_each_character_that_a_browser_ignores_is_drawn_by_its_name(reader: Person) -> None:
    points = sorted(IGNORABLE | {0x2800})
    open_page(reader.page, details={"text": " ".join(f"a{chr(point)}b" for point in points)})
    reader.page.get_by_text("The whole text").click()
    shown = reader.page.locator("div.text").inner_text()
    assert shown.split(" ") == [f"a⟨U+{point:04X}⟩b" for point in points]
    widths = "([...document.querySelectorAll('div.text')].map(e => [e.scrollWidth, e.clientWidth]))[0]"
    wide, window = reader.page.evaluate(widths)
    assert wide <= window, "all of it is inside its field"


@pytest.mark.parametrize(
    "hidden", [0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x180B, 0x200D, 0x200F, 0x2065, 0x2800,
               0x3164, 0xFE0F, 0xFFA0, 0xE0FFF], ids=hex
)  # fmt: skip
def test_a_page_with_something_invisible_looks_unlike_one_without(reader: Person, hidden: int) -> None:
    pictures = []
    for between in ("", chr(hidden)):
        open_page(
            reader.page, prompt=f"Pay{between}pal?", choices=[f"a{between}b"], details={f"k{between}k": f"v{between}v"}
        )
        elements = ("h1", "button", "main dl.record")
        pictures.append([reader.page.locator(one).first.screenshot() for one in elements])
    assert all(plain != marked for plain, marked in zip(*pictures, strict=True))


@pytest.mark.parametrize(
    "mark", ["\u061c", "\u200f", "\u200e", "\u202e", "\u2067", "\u0627", "علي ", "א", "Pay علي ", "\u0661 "]
)
def test_a_number_reads_from_left_to_right_whatever_stands_before_it(reader: Person, mark: str) -> None:
    text = f"{mark}100-5 EUR 7 - 8"
    open_page(reader.page, prompt=text, details={"sum": text, text: 1}, choices=[text])
    for selector in ("h1", "main dl.record dd", "main dl.record div:nth-child(2) dt", "button"):
        seen = order(reader.page, selector, "0123456789-")
        assert "100-5" in seen, (selector, seen)
        assert "7-8" in seen, (selector, seen)


def test_a_text_from_right_to_left_turns_nothing_beside_it_around(reader: Person) -> None:
    open_page(
        reader.page,
        prompt="שלום",
        details={"deep": [[[[[[[{"אלף": "בית"}]]]]]]]},
        approvers=["אנה", "Bob 7", "דוד"],
    )
    reader.page.get_by_text("As JSON").click()
    assert order(reader.page, "pre", "אב:") == "א:ב", "the name stands before its value"
    assert reader.page.locator("dd:has(bdi)").inner_text() == "אנה, Bob 7, דוד"
    assert order(reader.page, "dd:has(bdi)", "אBד")[0] == "א", "whoever is named first stands first"


@pytest.mark.parametrize("width", [DESKTOP, SMALLEST])
def test_no_text_is_drawn_over_another(browser: Browser, width: int) -> None:
    tall, wide = "Z" + "\u0335\u0301\u0302\u0303\u0304" * 60, "\ufdfd\U00012031" * 3
    with person(browser, width, script=True) as one:
        open_page(
            one.page, prompt=f"Pay 5 EUR to Ann {tall}", details={"sum": "5 EUR", "note": tall, wide: wide, "to": "Ann"}
        )
        assert not one.scrolls_sideways()
        clipped = "[...document.querySelectorAll('h1, dt, dd')].map(e => getComputedStyle(e).overflow)"
        assert set(one.page.evaluate(clipped)) == {"clip"}
        plain, marked = [], []
        for note, pictures in (("n", plain), (tall.replace("\u0335", ""), marked)):
            open_page(one.page, details={"sum": "5 EUR", "note": note[:5]})
            pictures.append(one.page.locator("main dl.record dd").first.screenshot())
        assert plain == marked, "what stands above a note looks the same whatever is stacked in it"


def test_blanks_are_seen_in_names_and_headings(reader: Person) -> None:
    pictures = []
    for text in ("a b", "a  b"):
        open_page(reader.page, prompt=text, details={text: 1}, choices=[text])
        pictures.append([reader.page.locator(one).first.screenshot() for one in ("h1", "main dl.record dt", "button")])
    assert all(one != two for one, two in zip(*pictures, strict=True))
