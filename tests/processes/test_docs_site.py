"""The pages of docs/ build as a site without a broken link, and nothing in it is fetched from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ops.documents.mkdocs_hooks import linked

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--quiet",
        "--config-file",
        "ops/mkdocs.yaml",
        "--site-dir",
        str(folder),
    ]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    return folder


def test_every_page_is_on_the_site_and_decisions_are_listed(site: Path) -> None:
    docs = ROOT / "docs"
    pages = {
        str(page.relative_to(docs).with_suffix(".html")) for page in docs.rglob("*.md") if page.name != "README.md"
    }
    assert pages <= {str(page.relative_to(site)) for page in site.rglob("*.html")}
    index = (site / "index.html").read_text()
    assert all(f'href="{page}"' in index for page in pages)


def test_a_page_fetches_nothing_from_elsewhere(site: Path) -> None:
    fetched = re.compile(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"?(?:https?:)?//", re.IGNORECASE)
    for page in site.rglob("*.html"):
        assert not fetched.search(page.read_text()), page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\"?(?:https?:)?//", style.read_text()), style


def test_a_link_to_a_source_file_becomes_text_and_path() -> None:
    text = (
        "[moves](../models/moves.py#L1), [`ops/up.py`](../ops/up.py), [a page](limits.md#a), `[x](../y)`, [top](#top)"
    )
    assert linked(text, "docs/order.md", "order.md") == (
        "moves (`models/moves.py`), `ops/up.py`, [a page](limits.md#a), `[x](../y)`, [top](#top)"
    )


def test_pages_from_elsewhere_are_linked_where_they_are_on_the_site() -> None:
    assert linked("[up](../limits.md)", "docs/decisions/0001.md", "decisions/0001.md") == "[up](../limits.md)"
    assert linked("[sdk](../sdk/README.md#values)", "docs/order.md", "order.md") == "[sdk](sdk.md#values)"
    assert linked("[pages](docs/order.md), [all](sdk/examples)", "README.md", "about.md") == (
        "[pages](order.md), all (`sdk/examples`)"
    )
