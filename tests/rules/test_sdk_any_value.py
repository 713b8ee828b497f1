"""Any value of any annotation comes back unchanged, or is refused: drawn by the thousand, with pydantic and without."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from taxiway.annotation_shapes import shape_of
from taxiway.codec import record, replay
from taxiway.equality import same
from taxiway.errors import UnknownType

from tests.rules.drawn import annotations

EXAMPLES = int(os.environ.get("EXAMPLES_OF_VALUES", "2000"))
"""How many examples are drawn; EXAMPLES_OF_VALUES=100000 takes eight minutes a test, and pytest's --timeout=0."""
WITHOUT = "WITHOUT_PYDANTIC"

MORE: list[Any] = [] if os.environ.get(WITHOUT) else importlib.import_module("tests.rules.drawn_models").MODELS

many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@many
@given(annotations(MORE).flatmap(lambda drawn: st.tuples(st.just(drawn[0]), drawn[1])))
def test_any_value_of_any_annotation_comes_back_as_it_was_or_its_annotation_is_refused(drawn: tuple[Any, Any]) -> None:
    annotation, value = drawn
    try:
        shape = shape_of(annotation)
    except UnknownType:
        return
    text, handed = record(shape, value)
    back = replay(shape, text)
    assert back == value, (annotation, text)
    assert same(handed, value), (annotation, text)
    assert same(back, value), (annotation, text)
    assert record(shape, back)[0] == text


def test_all_of_that_holds_without_pydantic() -> None:
    assert importlib.util.find_spec("pydantic") is not None, "with pydantic is the other half"
    blocked = (
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0].startswith('pydantic'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        "import pytest\n"
        "sys.exit(pytest.main(sys.argv[1:]))\n"
    )
    here = Path(__file__)
    each = (test_any_value_of_any_annotation_comes_back_as_it_was_or_its_annotation_is_refused,)
    chosen = [f"{here}::{test.__name__}" for test in each]
    arguments = ["-q", "-n", "0", "--timeout=0", "-p", "no:cacheprovider", "--noconftest", *chosen]
    done = subprocess.run(
        [sys.executable, "-c", blocked, *arguments],
        cwd=here.parents[2],
        env={**os.environ, WITHOUT: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
