"""The kinds of explanations are the same in the code, in the document and on the page; their sentences stay short."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args
from uuid import UUID

from api.explain.blocker import listed, short, spoken
from api.explain.blocker_kinds import Kind
from api.explain.snapshot import (
    MOST_COUNTED,
    Count,
    Named,
)
from api.shapes.explanation import BlockerKind
from tests.rules.explained import ONE, TWO


def test_the_document_knows_exactly_the_kinds_that_there_are_in_their_order() -> None:
    assert list(get_args(get_args(BlockerKind)[0])) == [kind.value for kind in Kind]


def test_the_page_about_explain_has_a_row_for_every_kind_in_its_order() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "explain.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [kind.value for kind in Kind]


def test_runs_are_named_up_to_three_and_the_others_counted() -> None:
    named = [Named(UUID(int=n), "RUNNING") for n in range(1, 21)]
    assert spoken(named[:1]) == f"{ONE} (RUNNING)"
    assert spoken(named[:2]) == f"{ONE} (RUNNING) and {TWO} (RUNNING)"
    assert spoken(named, 1_200).endswith(f"{UUID(int=3)} (RUNNING) and 1,197 more")
    assert (listed([]), listed(["a", "b", "c"])) == ("", "a, b and c")


def test_a_count_beyond_the_bound_says_that_it_is_one() -> None:
    assert (str(Count.of(MOST_COUNTED)), str(Count.of(MOST_COUNTED + 1))) == ("10,000", "more than 10,000")


def test_what_somebody_wrote_is_cut_to_what_fits_a_sentence() -> None:
    assert short("a\n b") == "a b"
    assert len(short("x" * 5_000)) == 201
