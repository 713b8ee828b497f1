"""The codec of the channel, on real socket pairs."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taxiway.frames import (
    MAX_FRAME,
    ChannelClosed,
    FrameError,
    FrameSocket,
    FrameTooLarge,
    Kind,
    decode,
    encode,
)


@pytest.fixture
def ends() -> Iterator[tuple[FrameSocket, FrameSocket]]:
    one, other = map(FrameSocket, socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM))
    yield one, other
    one.close()
    other.close()


@pytest.fixture
def raw() -> Iterator[tuple[socket.socket, FrameSocket]]:
    plain, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    channel = FrameSocket(other)
    yield plain, channel
    plain.close()
    channel.close()


def wire(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


TEXT = st.text('ab "\\/\n\x1f\x7fé€\U0001f600')
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
FRAMES = st.dictionaries(TEXT, VALUES, max_size=3).map(lambda fields: {**fields, "frame": "x"})


@given(FRAMES)
def test_a_frame_comes_back_as_it_went(frame: dict[str, Any]) -> None:
    data = encode(frame)
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    assert decode(data[4:]) == frame


@given(st.lists(FRAMES, max_size=3), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_frames_arrive_whole_however_the_stream_is_cut(frames: list[dict[str, Any]], cuts: list[int]) -> None:
    plain, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    channel = FrameSocket(other)
    data, arrived, turn = b"".join(map(encode, frames)), [], 0
    with plain, other:
        while data:
            size = cuts[turn % len(cuts)]
            plain.sendall(data[:size])
            data, turn = data[size:], turn + 1
            while (frame := channel.recv(0)) is not None:
                arrived.append(frame)
    assert arrived == frames


@given(st.binary(max_size=60))
def test_noise_is_a_frame_error_or_nothing_and_never_something_else(noise: bytes) -> None:
    plain, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    channel = FrameSocket(other)
    with other:
        with plain:
            plain.sendall(noise)
        with pytest.raises((FrameError, ChannelClosed)):
            list(iter(lambda: channel.recv(1), None))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "must be a JSON object"),
        (b"{}", "must be a JSON object"),
        (b'{"frame":1}', "must be a JSON object"),
        (b'{"frame":"x","v":NaN}', "NaN is not JSON"),
        (b'{"frame":"x","v":-Infinity}', "-Infinity is not JSON"),
        (b'{"frame":"x","v":"\\u0000"}', "holds NUL"),
        (b'{"frame":"x","v":[{"a":"\\ud800"}]}', "half a surrogate pair"),
        (b'{"frame":"x","\\u0000":1}', "holds NUL"),
        (b'{"frame":' + b"[" * 100_000, "not JSON"),
        (b'{"frame":"x","v":' + b"1" * 5000 + b"}", "not JSON"),
    ],
)
def test_each_kind_of_garbage_is_refused_with_a_reason(
    raw: tuple[socket.socket, FrameSocket], body: bytes, says: str
) -> None:
    plain, channel = raw
    plain.sendall(encode({"frame": "good"}) + wire(body) + encode({"frame": "late"}))
    assert channel.recv(1) == {"frame": "good"}, "what came before it counts"
    for _ in range(2):  # a stream that lost its framing stays so
        with pytest.raises(FrameError, match=says):
            channel.recv(1)


def test_escaped_texts_are_no_garbage() -> None:
    for text in ("\\u0000", "\U0001f600", "é\\ud800", '{"a":"\\u0000"}'):
        assert decode(json.dumps({"frame": "x", "v": text}).encode())["v"] == text


def test_an_announced_oversize_is_refused_before_it_is_read(raw: tuple[socket.socket, FrameSocket]) -> None:
    plain, channel = raw
    plain.sendall((MAX_FRAME + 1).to_bytes(4, "big"))
    with pytest.raises(FrameTooLarge, match="4194304 are allowed"):
        channel.recv(1)


def test_a_stream_that_ends_is_closed_and_one_that_ends_within_a_frame_is_garbage(
    raw: tuple[socket.socket, FrameSocket],
) -> None:
    plain, channel = raw
    plain.sendall(encode({"frame": "x"})[:-1])
    plain.close()
    with pytest.raises(FrameError, match="ended within a frame"):
        channel.recv(1)
    one, other = map(FrameSocket, socket.socketpair())
    one.send({"frame": "last"})
    one.close()
    assert other.recv(1) == {"frame": "last"}
    with pytest.raises(ChannelClosed):
        other.recv(1)
    with pytest.raises(ChannelClosed):
        other.send({"frame": "x"})
    other.close()


@pytest.mark.parametrize("value", [float("nan"), {1}, "\ud800", b"x"])
def test_a_frame_that_is_not_json_is_refused_and_leaves_the_channel_as_it_was(
    ends: tuple[FrameSocket, FrameSocket], value: Any
) -> None:
    one, other = ends
    with pytest.raises(FrameError, match="a step frame cannot be written"):
        one.send({"frame": Kind.STEP, "value": value})
    one.send({"frame": Kind.STEP})
    assert other.recv(1) == {"frame": "step"}


def test_the_largest_frame_goes_through_and_one_byte_more_does_not(ends: tuple[FrameSocket, FrameSocket]) -> None:
    one, other = ends
    frame = {"frame": "x", "v": "a" * (MAX_FRAME - len('{"frame":"x","v":""}'))}
    sender = threading.Thread(target=one.send, args=(frame,))
    sender.start()
    assert other.recv(10) == frame
    sender.join()
    with pytest.raises(FrameTooLarge):
        one.send({**frame, "v": frame["v"] + "a"})


def test_receiving_waits_no_longer_than_it_is_told(ends: tuple[FrameSocket, FrameSocket]) -> None:
    one, other = ends
    begun = time.monotonic()
    assert other.recv(0) is None
    assert time.monotonic() - begun < 0.05
    assert other.recv(0.1) is None
    assert 0.09 < time.monotonic() - begun < 1
    one.send({"frame": "x"})
    assert other.recv(None) == {"frame": "x"}


def test_many_frames_are_served_from_one_system_call(ends: tuple[FrameSocket, FrameSocket]) -> None:
    one, other = ends
    for n in range(100):
        one.send({"frame": "x", "n": n})
    assert other.recv(1) == {"frame": "x", "n": 0}
    other._socket.close()  # the rest of the test does not need it
    assert [frame["n"] for frame in (other.recv(0) for _ in range(99)) if frame is not None] == list(range(1, 100))


def test_trying_to_send_to_one_who_does_not_read_says_no_and_leaves_only_whole_frames(
    ends: tuple[FrameSocket, FrameSocket],
) -> None:
    one, other = ends
    sent = 0
    while one.try_send({"frame": "x", "n": sent, "v": "a" * 1000}):
        sent += 1
    assert sent > 10
    assert one.try_send({"frame": "x"}) is False
    for n in range(sent):
        frame = other.recv(1)
        assert frame is not None
        assert frame["n"] == n
    assert other.recv(0) is None
    assert one.try_send({"frame": "again"}) is True
    assert other.recv(1) == {"frame": "again"}


def test_trying_while_another_thread_is_stuck_sending_says_no(ends: tuple[FrameSocket, FrameSocket]) -> None:
    one, other = ends
    sender = threading.Thread(target=one.send, args=({"frame": "x", "v": "a" * 3_000_000},))
    sender.start()
    while one.try_send({"frame": "y"}):  # until the other thread is in the middle of its frame
        pass
    assert one.try_send({"frame": "y"}) is False
    while (frame := other.recv(5)) is not None and frame["frame"] == "y":
        pass
    assert frame is not None
    assert len(frame["v"]) == 3_000_000
    sender.join()


def test_a_frame_that_had_to_be_left_half_written_breaks_the_channel(ends: tuple[FrameSocket, FrameSocket]) -> None:
    one, _ = ends
    with pytest.raises(ChannelClosed, match="half written"):
        one.try_send({"frame": "x", "v": "a" * 3_000_000})
    with pytest.raises(ChannelClosed, match="half written"):
        one.send({"frame": "x"})


def test_a_signal_handler_that_raises_within_a_send_breaks_the_channel_rather_than_the_stream(
    ends: tuple[FrameSocket, FrameSocket],
) -> None:
    one, _ = ends

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyError("interrupted")

    before = signal.signal(signal.SIGUSR2, interrupt)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGUSR2))
    timer.start()
    try:
        with pytest.raises(KeyError):
            one.send({"frame": "x", "v": "a" * 3_000_000})
    finally:
        timer.join()
        signal.signal(signal.SIGUSR2, before)
    with pytest.raises(ChannelClosed, match="half written"):
        one.send({"frame": "x"})


def test_many_threads_may_send_at_once(ends: tuple[FrameSocket, FrameSocket]) -> None:
    one, other = ends
    threads = [
        threading.Thread(target=lambda name=name: [one.send({"frame": name, "v": "a" * 3000}) for _ in range(50)])
        for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    names = [frame["frame"] for _ in range(200) if (frame := other.recv(10)) is not None]
    for thread in threads:
        thread.join()
    assert sorted(names) == sorted("abcd" * 50)


def test_closing_is_seen_at_once_also_while_a_child_shares_the_socket(ends: tuple[FrameSocket, FrameSocket]) -> None:
    one, other = ends
    shared = os.dup(one.fileno())
    one.close()
    with pytest.raises(ChannelClosed):
        other.recv(1)
    os.close(shared)
    assert one.fileno() == -1
