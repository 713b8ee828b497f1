"""The choice of the next promotion is a rule over values: priority, started before new, one new in four, fair tags, age."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from scheduler.promotion.candidates import Candidate
from scheduler.promotion.capacity import Capacity
from scheduler.promotion.headroom import Room
from scheduler.promotion.selection import Turn, choose


def run(number: int, *, priority: int = 0, tag: float = 0.0, resumed: bool = False) -> Candidate:
    return Candidate(UUID(int=number), priority, tag, resumed)


def numbers(chosen: list[Candidate]) -> list[int]:
    return [candidate.id.int for candidate in chosen]


candidates = st.lists(
    st.builds(run, st.integers(1, 1000), priority=st.integers(-2, 2), tag=st.integers(0, 5).map(float), resumed=st.booleans()),
    unique_by=lambda candidate: candidate.id,
    max_size=40,
)  # fmt: skip


def test_the_highest_priority_goes_first_whatever_is_new_or_started() -> None:
    waiting = [run(1, priority=1, resumed=True), run(2, priority=5), run(3, priority=-1, resumed=True)]
    assert numbers(choose(waiting, Room(3), Turn())) == [2, 1, 3]


def test_within_a_priority_started_runs_go_before_new_ones() -> None:
    assert numbers(choose([run(1), run(2, resumed=True), run(3), run(4, resumed=True)], Room(3), Turn())) == [2, 4, 1]


def test_of_four_promotions_one_is_new_while_one_waits() -> None:
    waiting = [run(n, resumed=True) for n in range(1, 9)] + [run(n) for n in range(100, 103)]
    assert numbers(choose(waiting, Room(11), Turn())) == [1, 2, 3, 100, 4, 5, 6, 101, 7, 8, 102]


def test_the_turn_of_new_runs_is_carried_from_one_round_to_the_next() -> None:
    turn, started = Turn(), [run(n, resumed=True) for n in range(1, 9)]
    promoted: list[int] = []
    for _ in range(8):  # one slot becomes free at a time
        [next_one] = choose(
            [*(s for s in started if s.id.int not in promoted), run(100 + len(promoted))], Room(1), turn
        )
        promoted.append(next_one.id.int)
    assert [number >= 100 for number in promoted] == [False, False, False, True] * 2


def test_the_fair_tag_decides_between_tenants_and_age_between_equals() -> None:
    assert numbers(choose([run(3, tag=2.0), run(2, tag=1.0), run(1, tag=1.0), run(4, tag=0.5)], Room(4), Turn())) == [
        4,
        1,
        2,
        3,
    ]


@given(candidates, st.integers(0, 20))
def test_never_more_than_free_none_twice_and_none_while_a_slot_stays_empty(waiting: list[Candidate], free: int) -> None:
    chosen = choose(waiting, Room(free), Turn())
    assert len(chosen) == len(set(chosen)) == min(free, len(waiting))
    assert set(chosen) <= set(waiting)


@given(candidates, st.integers(1, 20), st.integers(0, 3))
def test_neither_new_nor_priority_is_starved(waiting: list[Candidate], free: int, before: int) -> None:
    chosen = choose(waiting, Room(free), Turn(before))
    left = set(waiting) - set(chosen)
    assert all(first.priority >= second.priority for first, second in pairwise(chosen))
    assert not left or max(run.priority for run in left) <= min(run.priority for run in chosen)
    for priority in {run.priority for run in waiting}:
        stratum = [run for run in chosen if run.priority == priority]
        waits = sum(not run.resumed for run in waiting if run.priority == priority)
        for start in range(len(stratum) - 3):
            seen = sum(not run.resumed for run in stratum[:start])
            assert seen == waits or any(not run.resumed for run in stratum[start : start + 4])


@given(st.integers(0, 50), st.integers(0, 50))
def test_a_queue_offers_what_is_open_without_what_is_promised(slots: int, tickets: int) -> None:
    free = Capacity("q", slots, tickets, ("a",)).free
    assert free == max(0, slots - tickets)
