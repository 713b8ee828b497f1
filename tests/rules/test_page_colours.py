"""All text of the page is readable for people with poor sight: ratios of WCAG 2.2, from the style sheet itself."""

from __future__ import annotations

import re

import pytest

from api.page.rendering import STYLE

TEXT, SHAPE = 4.5, 3.0
GROUNDS = ("ground", "card", "inset", "wrong-ground", "note-ground")
PAIRS = [
    *((colour, ground, TEXT) for colour in ("text", "soft") for ground in GROUNDS),
    *((colour, "card", TEXT) for colour in ("wrong", "approve", "approve-hover", "deny", "deny-hover")),
    ("approve-hover", "inset", TEXT), ("deny-hover", "inset", TEXT),
    ("wrong", "wrong-ground", TEXT),
    ("on-approve", "approve", TEXT), ("on-approve", "approve-hover", TEXT),
    ("on-deny", "deny", TEXT), ("on-deny", "deny-hover", TEXT),
    ("edge", "card", SHAPE), ("approve", "card", SHAPE), ("deny", "card", SHAPE), ("wrong", "card", SHAPE),
    *(("focus", ground, SHAPE) for ground in ("card", "ground", "wrong-ground")),
]  # fmt: skip


def colours() -> dict[str, dict[str, str]]:
    """Read the colours of both schemes."""
    light, dark = (
        dict(re.findall(r"--([\w-]+):\s*(#\w{6});", block))
        for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    )
    assert light.keys() == dark.keys()
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_measure_is_the_one_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("colour", "ground", "least"), PAIRS)
def test_every_colour_stands_out_from_its_ground(scheme: str, colour: str, ground: str, least: float) -> None:
    known = colours()[scheme]
    assert contrast(known[colour], known[ground]) >= least


def test_no_rule_has_a_colour_of_its_own() -> None:
    rules = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsl", rules) == []
    assert set(re.findall(r"var\(--([\w-]+)\)", rules)) == colours()["light"].keys()
