"""Logs and prints of a run are kept up to its budget; then a marker shows that there was more."""

from __future__ import annotations

import threading

from executor.activation.log_buffer import FULL, GROUP, MAX_LINE, LogBuffer
from models.runs.recording import LogLine


class Kept:
    def __init__(self, budget: int) -> None:
        self.groups: list[list[LogLine]] = []
        self.shown: list[LogLine] = []
        self.notes = LogBuffer(budget, self.groups.append, self.shown.append)

    @property
    def lines(self) -> list[LogLine]:
        return [line for group in self.groups for line in group]


def test_lines_wait_for_a_flush_and_are_shown_at_once() -> None:
    kept = Kept(1000)
    kept.notes.add("agent", "info", "one", "a#1", 2)
    assert (kept.groups, kept.shown) == ([], [LogLine("agent", "info", "one", "a#1", 2)])

    kept.notes.flush()
    kept.notes.flush()
    assert kept.groups == [kept.shown]


def test_a_full_group_is_written_without_a_flush() -> None:
    kept = Kept(1 << 20)
    for n in range(GROUP + 1):
        kept.notes.add("stdout", "info", str(n))
    assert [len(group) for group in kept.groups] == [GROUP]


def test_the_line_over_the_budget_becomes_a_marker_and_nothing_follows() -> None:
    kept = Kept(10)
    for message in ("12345", "1234", "123456789", "1", "x" * 100_000):
        kept.notes.add("stdout", "info", message)
    kept.notes.flush()
    assert [line.message for line in kept.lines] == ["12345", "1234", FULL.message]
    assert kept.shown == kept.lines


def test_a_run_whose_budget_was_used_up_before_keeps_nothing() -> None:
    kept = Kept(0)
    kept.notes.add("stdout", "info", "x")
    kept.notes.flush()
    assert (kept.groups, kept.shown) == ([], [])


def test_the_budget_counts_bytes() -> None:
    kept = Kept(5)
    kept.notes.add("stdout", "info", "äää")
    kept.notes.flush()
    assert [line.message for line in kept.lines] == [FULL.message]


def test_a_long_line_is_cut_and_made_storable() -> None:
    kept = Kept(1 << 20)
    kept.notes.add("agent", "info", "\0" + "x" * 100_000)
    assert kept.shown[0].message == "\N{REPLACEMENT CHARACTER}" + "x" * (MAX_LINE - 1)


def test_any_thread_may_add_and_no_line_is_lost_or_doubled() -> None:
    kept = Kept(1 << 20)

    def add(who: int) -> None:
        for n in range(500):
            kept.notes.add("stdout", "info", f"{who}.{n}")

    threads = [threading.Thread(target=add, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept.notes.flush()
    assert sorted(line.message for line in kept.lines) == sorted(f"{who}.{n}" for who in range(4) for n in range(500))
