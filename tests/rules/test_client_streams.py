"""Event streams: bytes in any pieces, connections that break anywhere, each event once."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from taxiway import client as api
from taxiway.client import backoff
from taxiway.client.sse import Decoder, Frame

from tests.rules.canned import (
    END,
    RUN_ID,
    URL,
    Answer,
    Canned,
    Pieces,
    Speaker,
    both,
    client,
    frame,
    problem,
    stream,
)

BROKEN = httpx.ReadError("connection reset")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST", 0.0)


def ids(events: list[api.Event]) -> list[int | None]:
    return [event.id for event in events]


@both
def test_events_end_after_end(speak: Speaker) -> None:
    server = Canned(stream(frame("start", 1), frame("progress", done=1, total=2), END, frame("status", 10)))
    events = speak(server).events()
    assert [(event.type, event.id) for event in events] == [("start", 1), ("progress", None), ("end", 9)]
    assert events[1].data["total"] == 2
    assert server.last.url.path == f"/v1/runs/{RUN_ID}/sse"
    assert "last-event-id" not in server.last.headers


@both
def test_a_stream_cut_in_the_middle_of_a_frame_goes_on_after_the_last_whole_one(speak: Speaker) -> None:
    second = frame("step", 2, step={"name": "a"})
    server = Canned(stream(frame("start", 1), second[:-20], BROKEN), stream(second, END))
    assert ids(speak(server).events()) == [1, 2, 9]
    assert server.last.headers["last-event-id"] == "1"


@both
@pytest.mark.parametrize("cut", range(0, 120, 7))
def test_wherever_a_stream_is_cut_every_event_is_seen_once(speak: Speaker, cut: int) -> None:
    whole = frame("start", 1) + frame("status", 2) + END

    def rest(request: httpx.Request) -> httpx.Response:
        seen = int(request.headers.get("last-event-id", "0"))
        return stream(*(piece for n, piece in ((1, frame("start", 1)), (2, frame("status", 2)), (9, END)) if n > seen))

    assert ids(speak(Canned(stream(whole[:cut], BROKEN), rest)).events()) == [1, 2, 9]


@both
def test_an_event_that_is_sent_again_is_not_given_out_again(speak: Speaker) -> None:
    first = stream(frame("start", 1), frame("status", 2), BROKEN)
    server = Canned(first, stream(frame("start", 1), frame("status", 2), frame("status", 3), END))
    assert ids(speak(server).events()) == [1, 2, 3, 9]


@both
def test_a_server_that_is_away_is_tried_again(speak: Speaker) -> None:
    away: list[Answer] = [
        httpx.ConnectError("refused"),
        problem(503, "unavailable", "Away."),
        httpx.Response(502),
        stream(),
    ]
    server = Canned(stream(frame("start", 1)), *away, stream(END))
    assert ids(speak(server).events()) == [1, 9]
    assert [request.headers.get("last-event-id") for request in server.requests] == [None, "1", "1", "1", "1", "1"]


@both
def test_a_server_that_stays_away_is_given_up(speak: Speaker) -> None:
    with pytest.raises(api.NotReachable):
        speak(Canned(httpx.ConnectError("refused"))).events(patience=0.0)


@both
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(404, "run_not_found", "No such run."), api.NotFound),
        (problem(401, "unauthenticated", "Unknown key."), api.Unauthenticated),
        (httpx.Response(200, html="<h1>hello</h1>"), api.ServerFault),
    ],
)
def test_what_no_new_connection_can_help_is_raised(
    speak: Speaker, answer: httpx.Response, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        speak(Canned(answer)).events()


@both
def test_following_can_start_after_a_known_event(speak: Speaker) -> None:
    server = Canned(stream(END))
    assert ids(speak(server).events(after=5)) == [9]
    assert server.last.headers["last-event-id"] == "5"


@both
def test_keepalives_and_junk_are_no_events(speak: Speaker) -> None:
    junk = b": hello\n\nevent: keepalive\ndata: null\n\nevent: x\ndata: {broken\n\nevent: y\ndata: [1]\n\n"
    assert ids(speak(Canned(stream(junk, END))).events()) == [9]


def test_a_caller_that_stops_early_closes_the_connection() -> None:
    body = Pieces(frame("start", 1), frame("status", 2), END)
    answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=body)
    with client(Canned(answer)) as opened:
        events = opened.run(RUN_ID).events()
        assert next(events).id == 1
        events.close()  # type: ignore[attr-defined]  # it is a generator
        assert body.closed


def test_an_awaiting_caller_that_stops_early_closes_the_connection() -> None:
    body = Pieces(frame("start", 1), frame("status", 2), END)
    answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=body)

    async def go() -> None:
        async with api.AsyncClient(URL, "key", transport=Canned(answer).transport) as opened:
            events = opened.run(RUN_ID).events()
            assert (await anext(events)).id == 1
            await events.aclose()  # type: ignore[attr-defined]  # it is a generator
            assert body.closed

    asyncio.run(go())


WHOLE = "id: 1\nevent: a\ndata: {\ndata: }\n\ndata:ü\r\n\r\nevent: c\rdata: 3\rid: x\r\r: comment\n\nid: 4\n\n".encode()
FRAMES = [Frame("a", "{\n}", "1"), Frame("message", "ü", None), Frame("c", "3", "x")]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_frames_do_not_depend_on_the_pieces_in_which_they_arrive(size: int) -> None:
    decoder = Decoder()
    frames = [found for start in range(0, len(WHOLE), size) for found in decoder.feed(WHOLE[start : start + size])]
    assert frames == FRAMES


def test_an_unfinished_frame_is_none() -> None:
    assert list(Decoder().feed(b"id: 1\ndata: {}\n")) == []
