"""The code of docs/concepts.md does what the page says: its blocks are one module, whose tests are executed."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from taxiway.agents import DECLARED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "concepts.md"
SOURCE = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    file = tmp_path_factory.mktemp("concepts") / "concepts_page.py"
    file.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("concepts_page", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(DECLARED)
    spec.loader.exec_module(module)
    yield module
    DECLARED[:] = before


@pytest.mark.parametrize("name", re.findall(r"^def (test_\w+)", SOURCE, re.MULTILINE))
def test_an_example_of_the_page_runs(page: ModuleType, name: str) -> None:
    getattr(page, name)()
