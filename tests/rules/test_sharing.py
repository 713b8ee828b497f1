"""The tests are shared out so that no process waits for another's stack, and what takes longest begins first."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.sharing import LONGEST, NOT_QUICK, ROOT, in_order, is_quick, kind_of


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("tests/system/test_drills.py", "stacks"),
        ("tests/processes/test_worker_runs.py", "fleets"),
        ("tests/processes/test_sentinels.py", "fleets"),
        ("tests/system/test_api_read.py", None),
    ],
)
def test_a_file_that_asks_for_a_whole_system_is_known_by_its_kind(file: str, kind: str | None) -> None:
    assert kind_of(file) == kind


def test_stacks_begin_before_fleets_and_both_before_the_longest_and_the_rest() -> None:
    files = ["tests/system/test_api_read.py", LONGEST[1], LONGEST[0], "tests/processes/test_worker_runs.py"]
    items = [
        SimpleNamespace(nodeid=f"{file}::{name}") for file in [*files, "tests/system/test_drills.py"] for name in "ba"
    ]
    in_order(items)
    began = list(dict.fromkeys(item.nodeid.partition("::")[0] for item in items))
    assert began == [
        "tests/system/test_drills.py",
        "tests/processes/test_worker_runs.py",
        LONGEST[0],
        LONGEST[1],
        files[0],
    ]
    assert [item.nodeid[-1] for item in items] == ["b", "a"] * 5, "the order inside a file stays"


def test_every_file_that_is_named_exists() -> None:
    assert [file for file in {*LONGEST, *NOT_QUICK} if not (ROOT / file).is_file()] == []


def test_rules_are_quick_but_for_the_slow_ones() -> None:
    assert is_quick("tests/rules/test_sharing.py")
    assert not is_quick("tests/rules/test_sdk_any_value.py")
    assert not is_quick("tests/postgres/test_moves.py")
