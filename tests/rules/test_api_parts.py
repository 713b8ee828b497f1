"""The small parts of the API, each by itself."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import TypeAdapter

from api import shapes
from api.catalogue import KnownAgent
from api.http import cursors, examples
from api.http.auth import Caller
from api.http.body import json_object
from api.http.durations import iso, milliseconds
from api.http.openapi_responses import refusals
from api.http.problems import CODES, Problem
from api.http.responses import JsonText, encode
from api.runs import stream
from api.runs.agent_input import checked_input
from api.streams.frame import KEEPALIVE, Frame, frame
from api.streams.mailbox import ROOM, Mailbox


@pytest.mark.parametrize(
    ("written", "expected"),
    [(1, 1000), (0.0015, 2), ("PT15M", 900_000), ("P1DT1S", 86_401_000), ("P1W", 604_800_000), ("PT0.5S", 500), (0, 0)],
)
def test_a_duration_is_seconds_or_iso(written: float | str, expected: int) -> None:
    assert milliseconds(written) == expected


@pytest.mark.parametrize(
    "written", [-1, float("nan"), float("inf"), "", "P", "PT", "15m", "P1M", "P1Y", "1", "pt5s", "PT٣S", "P999999D"]
)
def test_what_is_no_duration_is_refused(written: float | str) -> None:
    with pytest.raises(ValueError, match="must be"):
        milliseconds(written)


@pytest.mark.parametrize(("ms", "text"), [(0, "PT0S"), (1500, "PT1.5S"), (5_400_000, "PT1H30M"), (3_600_000, "PT1H")])
def test_a_duration_is_written_as_iso(ms: int, text: str) -> None:
    assert iso(ms) == text
    assert milliseconds(text) == ms


def test_a_cursor_is_read_by_the_list_that_issued_it() -> None:
    assert cursors.read_cursor("runs", cursors.write_cursor("runs", "abc")) == "abc"
    assert cursors.read_number("steps", cursors.write_cursor("steps", "17")) == 17
    for text in (
        cursors.write_cursor("logs", "17"),
        cursors.write_cursor("steps", "-1"),
        cursors.write_cursor("steps", str(2**31)),
        "!",
        "===",
    ):
        with pytest.raises(Problem, match="invalid_cursor"):
            cursors.read_number("steps", text)


def test_stored_json_passes_through_untouched() -> None:
    assert (
        encode({"a": JsonText('{ "x":1e400}'), "b": [JsonText('"\\ud800"'), "ä"]})
        == '{"a":{ "x":1e400},"b":["\\ud800","ä"]}'
    )


def test_a_frame_is_one_line_of_data_whatever_the_value() -> None:
    wire = frame({"seq": 3, "event": "end", "text": "a\nb\r", "result": JsonText('{\n"a":\r\n1}')}).wire.decode()
    head, data, *rest = wire.split("\n")[1:]
    assert (head, rest) == ("event: end", ["", ""])
    assert json.loads(data.removeprefix("data: ")) == {"seq": 3, "event": "end", "text": "a\nb\r", "result": {"a": 1}}


def test_only_a_stored_event_has_an_id_and_only_a_stored_end_ends() -> None:
    assert frame({"event": "progress", "done": 1}).wire.startswith(b"event: progress\n")
    assert not frame({"event": "end"}).end
    assert frame({"seq": 1, "event": "end"}).end


def stored(*seqs: int) -> list[Frame]:
    return [Frame(seq, f"{seq}".encode()) for seq in seqs]


NOBODY = Caller(uuid.uuid4(), "nobody", "acme", frozenset())


def taken(box: Mailbox) -> list[bytes]:
    return [item.wire for item in asyncio.run(box.take(0))]


def test_a_mailbox_passes_over_what_it_had() -> None:
    box = Mailbox(uuid.uuid4(), 2, lambda: None)
    box.put_events(stored(1, 2, 3, 4))
    box.put_events(stored(3, 4, 5))
    assert taken(box) == [b"3", b"4", b"5"]
    assert taken(box) == []


def test_a_live_message_stays_behind_the_events_that_came_before_it() -> None:
    box = Mailbox(uuid.uuid4(), 0, lambda: None)
    box.stale = True
    box.put_live(Frame(None, b"live"))
    assert taken(box) == []
    box.stale = False
    box.put_events(stored(1))
    assert taken(box) == [b"1", b"live"]


def test_no_live_message_stands_behind_the_end_of_its_run() -> None:
    box = Mailbox(uuid.uuid4(), 0, lambda: None)
    box.stale = True
    box.put_live(Frame(None, b"before"))
    box.stale = False
    box.put_events([*stored(1), Frame(2, b"end", end=True)])
    box.put_live(Frame(None, b"behind"))
    assert taken(box) == [b"1", b"before", b"end"]


def test_a_slow_client_loses_live_messages_only_and_asks_for_no_more_than_fits() -> None:
    asked: list[bool] = []
    box = Mailbox(uuid.uuid4(), 0, lambda: asked.append(True))
    box.put_events(stored(*range(1, ROOM + 1)))
    box.put_live(Frame(None, b"live"))
    box.stale = True
    assert not box.wants_events
    assert len(taken(box)) == ROOM
    assert box.wants_events
    assert asked == [True]


def test_a_closed_mailbox_wakes_its_reader() -> None:
    async def close_while_taking() -> list[Frame]:
        box = Mailbox(uuid.uuid4(), 0, lambda: None)
        asyncio.get_running_loop().call_later(0.01, box.close)
        return await asyncio.wait_for(box.take(60), 5)

    assert asyncio.run(close_while_taking()) == []


def test_a_quiet_stream_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEEPALIVE_SECONDS", 0.02)
    box = Mailbox(uuid.uuid4(), 0, lambda: None)

    class OneBox:
        @asynccontextmanager
        async def mailbox(self, _run: Any, _after: int, _viewer: Any) -> Any:
            yield box

    async def listen() -> list[bytes]:
        heard = []
        async for piece in stream._frames(OneBox(), box.run, 0, NOBODY):  # type: ignore[arg-type]
            heard.append(piece)
            if len(heard) == 2:
                box.put_events([Frame(1, b"end", end=True)])
        return heard

    assert asyncio.run(asyncio.wait_for(listen(), 5)) == [KEEPALIVE, KEEPALIVE, b"end"]


def agent(schema: dict[str, Any]) -> KnownAgent:
    return KnownAgent("a", uuid.uuid4().hex, "default", None, json.dumps(schema))


def test_a_schema_never_makes_the_server_fetch_anything() -> None:
    with pytest.raises(Problem, match="cannot be compared"):
        checked_input({}, agent({"$ref": "http://127.0.0.1:9/schema.json"}), 1000)


def test_a_refused_value_is_not_quoted() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x"]}}}
    with pytest.raises(Problem) as caught:
        checked_input({"a": "s3cret", "b": "s3cret"}, agent(schema), 1000)
    assert [error.field for error in caught.value.errors] == ["input.a", "input.b"]
    assert "s3cret" not in str(caught.value.document())


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert checked_input({"a": "\\u0000"}, agent({}), 1000) == '{"a":"\\\\u0000"}'


def test_an_invalid_body_is_not_quoted() -> None:
    for raw in (b'{"a": s3cret}', b'{"s3cret": 1, "s3cret": 2}', b"\xffs3cret"):
        with pytest.raises(Problem) as caught:
            json_object(raw)
        assert "s3cret" not in str(caught.value.document())


def test_the_examples_fit_their_shapes() -> None:
    for name, example in examples.EXAMPLES.items():
        TypeAdapter(getattr(shapes, name)).validate_python(example, strict=True, extra="forbid")


def test_every_code_is_documented_where_it_is_used() -> None:
    named = refusals(*CODES)
    assert set(named) == {status for status, _ in CODES.values()}
