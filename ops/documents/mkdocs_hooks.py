"""Hooks of the site that mkdocs builds from `docs/`: two pages from elsewhere, whole folders, links to source files.

On a site there are no source files, so a link to one becomes its text and its path; in the repository it stays a link.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
GUESTS: Final = {"README.md": "about.md", "sdk/README.md": "sdk.md"}
"""Pages outside of `docs/` that are on the site too, with the names that they have there."""
FOLDERS: Final = {"sql/": "Statements", "decisions/": "Decisions"}
"""Folders whose pages are all in the navigation, in the order of their names."""
STYLE: Final = Path(__file__).with_name("site.css")
_PARTS: Final = re.compile(
    r"^```.*?^```|`[^`\n]+`|\[(?P<text>[^\]\n]+)\]\((?P<target>[^)#\s]*)(?P<anchor>#[^)\s]*)?\)",
    re.MULTILINE | re.DOTALL,
)
"""Code, in which nothing is a link, and links; whichever begins first."""


def on_files(files: Any, config: Any) -> Any:
    """Add the guests and the style sheet, and whole folders to the navigation."""
    from mkdocs.structure.files import File  # noqa: PLC0415  the hooks are read without mkdocs, too

    for path, name in GUESTS.items():
        files.append(File.generated(config, name, content=(ROOT / path).read_text()))
    files.append(File.generated(config, STYLE.name, content=STYLE.read_text()))
    pages = sorted(file.src_uri for file in files.documentation_pages())
    for folder, title in FOLDERS.items():
        if found := [page for page in pages if page.startswith(folder)]:
            config.nav = [*config.nav, {title: found}]
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the page as it is on the site."""
    name = page.file.src_uri
    origin = next((path for path, guest in GUESTS.items() if guest == name), f"docs/{name}")
    return linked(markdown, origin, name)


def linked(markdown: str, origin: str, name: str) -> str:
    """Return a page with its links as the site needs them; `origin` is its path from the root, `name` its path on the site."""
    return _PARTS.sub(lambda found: _link(found, origin, name), markdown)


def _link(found: re.Match[str], origin: str, name: str) -> str:
    text, target, anchor = found["text"], found["target"], found["anchor"] or ""
    if not target or ":" in target:
        return found.group()
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
    there = GUESTS.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
    if there is None or not posixpath.splitext(there)[1]:
        return text if text.strip("`") == path else f"{text} (`{path}`)"
    return f"[{text}]({posixpath.relpath(there, posixpath.dirname(name) or '.')}{anchor})"
