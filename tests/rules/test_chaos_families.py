"""The checks report children that are too many, too few, or whose ends were lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ops.chaos.invariants import Facts, families
from ops.chaos.journal import Accepted, Journal

PARENT = "p"
CHECKS = (families.starts_each_child_once, families.ends_together, families.reaches_everybody)
Change = Callable[[Facts], None]


def _run(name: str, parent: str | None = PARENT) -> dict[str, Any]:
    return {"id": name, "parent": parent, "status": "SUCCESS", "reason": None}


def _facts() -> Facts:
    """A parent that has started two children, which have ended well, as it has."""
    journal = Journal()
    journal.accept([Accepted(PARENT, "k", "family", {"children": 2, "millis": 0, "secret": "s"})])
    found = Facts(journal, 15, lambda label: label)
    found.runs = [_run(PARENT, None), _run("a"), _run("b")]
    found.events[PARENT] = [{"type": "step", "data": {"step": {"key": "spawn:child#1", "status": "succeeded"}}}]
    return found


def _complaints(found: Facts) -> dict[str, str]:
    for check in CHECKS:
        check(found)
    return {violation.run: violation.invariant for violation in found.journal.violations}


def _ends(place: int, status: str, reason: str) -> Change:
    return lambda found: found.runs[place].update(status=status, reason=reason)


def _canceled(found: Facts) -> None:
    _ends(0, "CANCELED", "by_user")(found)
    _ends(1, "CANCELED", "by_parent")(found)


def _before_its_children(found: Facts) -> None:
    _ends(0, "CANCELED", "by_user")(found)
    found.events[PARENT], found.runs = [], found.runs[:1]


def _by_tasks(found: Facts) -> None:
    """One child by a task of its own, another by the call for the rest."""
    accepted = found.journal.accepted[PARENT]
    accepted.agent, accepted.input["children"] = "mapping", 3
    keys = ("spawn:child@0.3#1", "spawn:child/rest@0.2#1")
    found.events[PARENT] = [{"type": "step", "data": {"step": {"key": key, "status": "succeeded"}}} for key in keys]


@pytest.mark.parametrize("right", [lambda _: None, _by_tasks, _canceled, _before_its_children])
def test_a_family_that_ends_as_one_is_not_complained_of(right: Change) -> None:
    found = _facts()
    right(found)
    assert _complaints(found) == {}


@pytest.mark.parametrize(
    ("wrong", "complaints"),
    [
        (lambda found: found.runs.append(_run("c")), {PARENT: "3 children"}),
        (lambda found: found.runs.pop(), {PARENT: "3 children"}),
        (lambda found: found.events[PARENT].clear(), {PARENT: "3 children"}),
        (_ends(1, "FAILED", "crashed"), {"a": "6 children"}),
        (_ends(2, "CANCELED", "by_parent"), {"b": "6 children"}),
        (_ends(1, "RUNNING", ""), {"a": "6 children"}),
        (lambda found: found.unfolded.append({"run": PARENT, "effect": "child_ended"}), {PARENT: "6 children"}),
    ],
)
def test_whatever_is_wrong_with_a_family_is_complained_of(wrong: Change, complaints: dict[str, str]) -> None:
    found = _facts()
    wrong(found)
    assert _complaints(found) == complaints
