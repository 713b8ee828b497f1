"""A broker connection that is closed during a ticket counts as a lost connection, not as a fault of the program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kombu import Connection
from kombu.transport import redis as transport
from kombu.transport.virtual import base as virtual

from models.runtime.kombu_channel import Channel, install


@pytest.fixture(autouse=True)
def channels_as_they_were() -> Iterator[None]:
    before = transport.Transport.Channel
    yield
    transport.Transport.Channel = before


def test_every_channel_to_redis_is_of_this_kind() -> None:
    install()
    assert transport.Transport.Channel is Channel


@pytest.mark.parametrize("gone", ["connection", "client"])
def test_a_channel_whose_connection_is_gone_says_what_celery_takes_for_a_lost_connection(gone: str) -> None:
    lost = Connection("redis://127.0.0.1:1/0").transport.connection_errors
    channel = object.__new__(Channel)
    channel.connection = None if gone == "connection" else object.__new__(transport.Transport)
    if gone == "client":
        channel.connection.client = None
    with pytest.raises(lost, match="was closed"):
        channel._connparams()


def test_tickets_of_a_lost_connection_are_neither_put_back_nor_written_to_a_file(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(virtual, "emergency_dump_state", lambda *_, **__: pytest.fail("it was written to a file"))
    channel = object.__new__(Channel)
    monkeypatch.setattr(channel, "_restore", lambda *_: pytest.fail("it was put back"), raising=False)
    delivered = virtual.QoS(channel, 4)
    delivered.append(object(), "tag")
    delivered.restore_unacked_once()
    assert not caplog.records
