"""What the pages name exists: files, functions, other pages and their sections."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.documents import architecture
from ops.documents.named import missing

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "sdk" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's sections, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _is_broken(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return True
    return bool(anchor) and anchor not in _anchors(target)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_only_what_exists(page: Path) -> None:
    assert missing(page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_links_only_to_what_exists(page: Path) -> None:
    text = _SPAN.sub("", _FENCE.sub("", page.read_text()))
    links = [link for link in _LINK.findall(text) if not re.match(r"https?:|mailto:", link)]
    assert [link for link in links if _is_broken(page, link)] == []


def test_what_does_not_exist_is_noticed() -> None:
    text = (
        "`models/moves.py:claim`, `models/moves.py:clam`, `models/mooves.py`, `models/runtime/bus.py:Bus.start`, `api/`"
    )
    assert missing(text) == ["`models/moves.py:clam`", "`models/mooves.py`"]


def test_the_picture_shows_each_leg_with_its_function(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = architecture.picture()
    assert all(f"`{leg.where}`" in picture and leg.what in picture for leg in architecture.LEGS)
    monkeypatch.setattr(architecture, "LEGS", [architecture.LEGS[0]._replace(where="api/runs/create.py:make_run")])
    with pytest.raises(ValueError, match="make_run"):
        architecture.picture()
