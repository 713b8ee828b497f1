"""Records are replayed to a host in frames of bounded size, in order, the last one marked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taxiway.frames import MAX_FRAME, encode

from executor.activation.replay import FRAME_BYTES, INLINE_BYTES, recorded_frames

LETTERS = ["x", "ä", "\N{GRINNING FACE}", r"\""]


def _row(n: int, value: str | None = "1", error: Any = None) -> dict[str, Any]:
    return {
        "key": f"a#{n}", "name": "a", "digest": "0" * 16, "occurrence": 1, "status": "succeeded", "attempts": 1,
        "error": error, "value": value, "large": value is None,
    }  # fmt: skip


def test_nothing_recorded_is_one_empty_frame_that_starts_the_agent() -> None:
    assert list(recorded_frames("r.1", [], [])) == [
        {"frame": "recorded", "activation": "r.1", "steps": [], "last": True}
    ]


@settings(max_examples=30)
@given(st.lists(st.sampled_from([1, 100, 10_000, INLINE_BYTES]), max_size=120), st.sampled_from(LETTERS))
def test_all_steps_arrive_once_in_order_in_frames_of_at_most_a_megabyte(sizes: list[int], letter: str) -> None:
    rows = [_row(n, f'"{letter * (size // len(letter.encode()))}"') for n, size in enumerate(sizes)]
    frames = list(recorded_frames("r.1", rows, []))

    assert [step for frame in frames for step in frame["steps"]] == rows
    assert [frame["last"] for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert all(len(encode(frame)) <= FRAME_BYTES for frame in frames)


@pytest.mark.parametrize("letter", LETTERS)
def test_frames_are_bounded_in_bytes_whatever_the_values_are_written_in(letter: str) -> None:
    value = f'"{letter * (INLINE_BYTES // len(letter.encode()))}"'
    frames = list(recorded_frames("r.1", [_row(n, value) for n in range(200)], []))
    assert len(frames) > 5
    assert all(len(encode(frame)) <= FRAME_BYTES for frame in frames)


def test_many_steps_with_long_errors_fit_their_frames() -> None:
    error = {"type": "E", "message": 'x"' * 2000, "code": "step_error"}
    frames = list(recorded_frames("r.1", [_row(n, None, error) for n in range(2000)], []))
    assert sum(len(frame["steps"]) for frame in frames) == 2000
    assert all(len(encode(frame)) <= MAX_FRAME for frame in frames)


def test_what_came_of_waits_is_cut_into_frames_before_the_one_that_starts_the_agent() -> None:
    waits = [{"key": f"w{n}", "outcome": "received", "answer": f'"{"x" * 60_000}"'} for n in range(50)]
    frames = list(recorded_frames("r.1", [_row(1, "1")], waits))
    assert [wait for frame in frames for wait in frame.get("waits", [])] == waits
    assert all(len(encode(frame)) < 2 << 20 for frame in frames)
    assert [frame["last"] for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert frames[-1]["steps"]
