"""A retry keeps succeeded steps and failures that the agent caught, and repeats the step that failed the run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.runs.retry_plan import Begun, History, Record, kept, kept_before, named, names

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def ok(name: str, began: float, ended: float | None = None) -> Record:
    return Record(f"{name}##1", name, at(began), at(began + 0.5 if ended is None else ended), True)


def bad(name: str, began: float, ended: float | None = None) -> Record:
    return Record(f"{name}##1", name, at(began), at(began + 0.5 if ended is None else ended), False)


def wait(name: str, began: float, ended: float, good: bool = True, child: str | None = None) -> Record:
    return Record(name, name, at(began), at(ended), good, False, child)


def keeps(records: Sequence[Record], **more: Any) -> list[str]:
    return [one.name for one in kept(History(records, **more)).records]


STEP = {"code": "step_error", "type": "ValueError", "step": "b"}


def test_everything_up_to_the_last_succeeded_step_is_kept_and_what_failed_after_it_is_not() -> None:
    assert keeps([ok("a", 1), bad("b", 2)], error=STEP) == ["a"]
    assert keeps([ok("a", 1), bad("b", 2), bad("c", 3)]) == ["a"]
    assert keeps([bad("b", 2)], error=STEP) == []
    assert keeps([]) == []
    assert keeps([ok("a", 1), ok("b", 2)]) == ["a", "b"], "of a run that succeeded, or whose agent failed by itself"


def given_up(name: str, began: float, ended: float) -> Record:
    return Record(f"{name}##1", name, at(began), at(ended), False, given_up=True)


def test_a_step_that_its_agent_gave_up_is_neither_good_nor_bad() -> None:
    assert keeps([ok("a", 1), given_up("b", 1, 2), ok("c", 3)]) == ["a", "b", "c"]
    assert keeps([ok("a", 1), given_up("b", 1, 2)]) == ["a"], "nothing good came of it"
    assert keeps([given_up("b", 1, 2), ok("a", 1, 2)]) == ["b", "a"], (
        "it was given up in the moment when the other was over"
    )
    assert keeps([given_up("b", 1, 2), ok("c", 3)], error=STEP) == ["b", "c"], "the run did not fail of it"


def test_a_failure_that_the_agent_caught_belongs_to_the_history() -> None:
    assert keeps([ok("a", 1), bad("b", 2), ok("c", 3), bad("d", 4)], error={"step": "d"}) == ["a", "b", "c"]
    assert keeps([bad("b", 2), wait("asked", 3, 4), bad("d", 5)], error={"step": "d"}) == ["b", "asked"]


def test_a_failure_that_was_raised_again_after_some_cleaning_up_is_tried_again_and_so_is_the_cleaning() -> None:
    assert keeps([ok("a", 1), bad("b", 2), ok("clean", 3)], error=STEP) == ["a"]
    denied = [ok("a", 1), wait("asked", 2, 3, good=False), ok("clean", 4)]
    assert keeps(denied, error={"type": "ApprovalDenied", "code": "denied"}) == ["a"]
    assert keeps(denied) == ["a", "asked", "clean"], "it was caught, and the run failed of something else"


def test_what_went_on_beside_a_failure_is_kept() -> None:
    beside, after = ok("beside", 2.2, 2.9), ok("after", 3)
    assert keeps([ok("a", 1), bad("b", 2), beside, after], error=STEP) == ["a", "beside"]


@pytest.mark.parametrize("outcome", [False, True])
def test_what_people_decided_is_kept_unless_it_ended_the_run(outcome: bool) -> None:
    records = [ok("a", 1), wait("asked", 2, 3, good=outcome)]
    assert keeps(records) == (["a", "asked"] if outcome else ["a"])
    assert keeps([*records, ok("c", 4), bad("b", 5)], error=STEP) == ["a", "asked", "c"]


def test_a_step_that_is_to_be_executed_once_and_was_begun_is_named() -> None:
    begun = [Begun("pay##1", "pay", at(2), intended=True), Begun("b##1", "b", at(1.5), intended=False)]
    assert kept(History([ok("a", 1)], begun)).unknown == ["pay"]
    again = kept_before(History([ok("a", 1)], begun), begun[0])
    assert ([one.name for one in again.records], again.unknown) == (["a"], [])
    earlier = kept_before(History([ok("a", 1)], begun), begun[1])
    assert ([one.name for one in earlier.records], earlier.unknown) == (["a"], [])
    later = Begun("c##1", "c", at(3), intended=False)
    assert kept_before(History([ok("a", 1)], [*begun, later]), later).unknown == ["pay"]


# --------------------------------------------------------------------------------------------------------------- children
SPAWN = ok("spawn:x", 2, 2)
ONE, TWO = f"{SPAWN.key}/0", f"{SPAWN.key}/1"


def _children(one: str, two: str) -> dict[str, dict[str, str]]:
    return {SPAWN.key: {ONE: one, TWO: two}}


def test_children_that_all_succeeded_are_kept_whether_their_parent_heard_of_it_or_not() -> None:
    heard = wait("one", 3, 4, child=ONE)
    assert keeps([SPAWN, heard, bad("b", 5)], children=_children("SUCCESS", "SUCCESS"), error=STEP) == [
        "spawn:x",
        "one",
    ]


def test_children_of_which_one_failed_are_started_again_and_all_after_them_is_done_again() -> None:
    heard = [wait("one", 4, 5, child=ONE), wait("two", 4, 4.5, good=False, child=TWO)]
    records = [ok("a", 1), SPAWN, ok("between", 3), *heard]
    failed = {"code": "child_failed", "type": "ChildFailed"}
    assert keeps(records, children=_children("SUCCESS", "FAILED"), error=failed) == ["a"]
    assert keeps(records, children=_children("SUCCESS", "FAILED")) == ["a"], "also where the agent fails in other words"
    assert keeps(records[:3], children=_children("SUCCESS", "FAILED")) == ["a"], "or had not heard of it yet"
    assert keeps(records[:3], children=_children("SUCCESS", "RUNNING")) == ["a"]


def test_a_child_that_failed_and_was_caught_belongs_to_the_history() -> None:
    heard = [wait("one", 4, 5, child=ONE), wait("two", 4, 4.5, good=False, child=TWO)]
    records = [SPAWN, *heard, ok("instead", 6), bad("b", 7)]
    assert keeps(records, children=_children("SUCCESS", "FAILED"), error=STEP) == ["spawn:x", "one", "two", "instead"]
    del records[1]
    assert keeps(records, children=_children("RUNNING", "FAILED"), error=STEP) == [], "one that goes on cannot be heard"


# -------------------------------------------------------------------------------------------------------- from some step
def test_what_was_recorded_before_a_step_is_kept() -> None:
    records = [ok("a", 1), bad("b", 2), wait("asked", 3, 4), ok("c", 5), ok("a", 6), wait("later", 7, 8)]
    past = History(records)

    def before(name: str) -> list[str]:
        step = named(past, name)
        assert step is not None
        return [one.name for one in kept_before(past, step).records]

    assert before("c") == ["a", "b", "asked"]
    assert before("b") == ["a"]
    assert before("a") == [], "the first of its name"
    assert names(past) == ["a", "b", "c"]
    assert (named(past, "asked"), named(past, "later"), named(past, "")) == (None, None, None)


def test_children_before_a_step_that_cannot_be_heard_of_any_more_are_started_again() -> None:
    records = [ok("a", 1), SPAWN, ok("c", 5), bad("b", 6)]
    running = History(records, children=_children("SUCCESS", "RUNNING"))
    assert [one.name for one in kept_before(running, records[3]).records] == ["a"]
    done = History(records, children=_children("SUCCESS", "SUCCESS"))
    assert [one.name for one in kept_before(done, records[3]).records] == ["a", "spawn:x", "c"]


def test_very_long_histories_are_judged_in_no_time() -> None:
    records = [record for n in range(5000) for record in (ok(f"s{n}", n), bad(f"f{n}", n + 0.6, n + 0.7))]
    children = {f"s{n}##1": {f"s{n}##1/0": "FAILED"} for n in range(5000)}
    assert keeps(records, children=children) == []
    assert len(keeps(records, error={"step": "f4999"})) == 9999
