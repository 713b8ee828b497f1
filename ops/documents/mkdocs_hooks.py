"""Hooks of the site that mkdocs builds from `docs/`: the list of decisions, and links that lead out of the folder.

On a site there are no source files, so a link to one becomes its text and its path; in the repository it stays a link.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

_LINK = re.compile(r"\[([^\]\n]+)\]\((\.\./[^)\s]+)\)")
DECISIONS = "decisions/"


def on_files(files: Any, config: Any) -> Any:
    """Add the decisions to the navigation, in their order."""
    pages = sorted(file.src_uri for file in files.documentation_pages() if file.src_uri.startswith(DECISIONS))
    config.nav = [*config.nav, {"Decisions": pages}]
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the page with links out of the folder as text and path."""
    folder = posixpath.dirname(page.file.src_uri)
    return outside_as_code(markdown, folder)


def outside_as_code(markdown: str, folder: str) -> str:
    """Replace links that lead out of `docs/`; `folder` is that of the page, below `docs/`."""

    def replaced(found: re.Match[str]) -> str:
        text, target = found.groups()
        path = posixpath.normpath(posixpath.join("docs", folder, target.partition("#")[0]))
        if path.startswith("docs/"):
            return found.group()
        return text if text.strip("`") == path else f"{text} (`{path}`)"

    return _LINK.sub(replaced, markdown)
