"""One address of Redis means the same for hints, for Celery and for Flower, or is refused before a connection."""

from __future__ import annotations

import re
import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection
from kombu.transport import redis as transport
from redis.sentinel import SentinelManagedSSLConnection

from models.errors import SettingsError
from models.runtime.celery_settings import broker_settings
from models.runtime.redis_address import RedisAddress
from models.runtime.redis_client import open_async_redis, open_redis
from models.runtime.settings import Settings

LEVELS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def broker(url: str) -> Connection:
    """Return the connection that Celery makes of our settings."""
    chosen = broker_settings(Settings(redis_url=url))
    return Connection(
        chosen["broker_url"], ssl=chosen["broker_use_ssl"], transport_options=chosen["broker_transport_options"]
    )


def broker_params(url: str) -> dict[str, Any]:
    """Return the parameters that kombu's channel passes to redis-py."""
    channel = object.__new__(transport.Channel)
    connection = broker(url)
    channel.connection = type("Parts", (), {"client": connection, "default_port": 6379})()
    params: dict[str, Any] = channel._connparams()
    return params


SAME = {
    "redis://127.0.0.1:6379/0": ("127.0.0.1", 6379, 0, None, None),
    "redis://h": ("h", 6379, 0, None, None),
    "redis:///3": ("127.0.0.1", 6379, 3, None, None),
    "REDIS://h:1/2": ("h", 1, 2, None, None),
    "redis://:s%2Fe%40c:r%3Bet@h/0": ("h", 6379, 0, None, "s/e@c:r;et"),
    "redis://ann:secret@[::1]:7/5": ("::1", 7, 5, "ann", "secret"),
    "rediss://:secret@h:6380/1": ("h", 6380, 1, None, "secret"),
}


@pytest.mark.parametrize(("url", "meant"), SAME.items())
def test_both_clients_read_the_same_out_of_an_address(url: str, meant: tuple[object, ...]) -> None:
    names = ("host", "port", "db", "username", "password")
    ours, theirs = open_redis(url).connection_pool.connection_kwargs, broker_params(url)
    waiting = open_async_redis(url).connection_pool.connection_kwargs

    assert tuple(ours[name] for name in names) == meant
    assert tuple(theirs[name] for name in names) == meant
    assert tuple(waiting[name] for name in names) == meant


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ("", "required"),
        ("?ssl_cert_reqs=CERT_REQUIRED", "required"),
        ("?ssl_cert_reqs=required", "required"),
        ("?ssl_cert_reqs=CERT_OPTIONAL", "optional"),
        ("?ssl_cert_reqs=optional", "optional"),
        ("?ssl_cert_reqs=CERT_NONE", "none"),
        ("?ssl_cert_reqs=none", "none"),
    ],
)
def test_both_clients_verify_certificates_alike(words: str, level: str) -> None:
    url = f"rediss://h/0{words}"
    ours = open_redis(url).connection_pool.make_connection()
    theirs = broker_params(url)
    made = theirs.pop("connection_class")(
        **{n: v for n, v in theirs.items() if n != "max_connections" and v is not None}
    )

    assert (ours.cert_reqs, ours.check_hostname) == (LEVELS[level], level != "none")
    assert (made.cert_reqs, made.check_hostname) == (LEVELS[level], level != "none")
    assert open_async_redis(url).connection_pool.connection_kwargs["ssl_cert_reqs"] == level


def test_an_address_that_is_handed_to_celery_itself_is_verified_too() -> None:
    assert Connection("rediss://h/0").ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}


def test_sentinels_are_asked_by_every_client_for_the_same_group() -> None:
    url = "sentinel://ann:secret@a:1,b/2?master=m&sentinel_password=other"
    connection = broker(url)

    assert connection.transport_options["master_name"] == "m"
    assert connection.transport_options["sentinel_kwargs"]["password"] == "other"
    assert connection.alt == ["sentinel://ann:secret@a:1/2", "sentinel://ann:secret@b:26379/2"]
    for client in (open_redis(url), open_async_redis(url)):
        pool: Any = client.connection_pool
        asked = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
        assert (pool.service_name, pool.connection_kwargs["password"], pool.connection_kwargs["db"]) == (
            "m",
            "secret",
            2,
        )
        assert [(one["host"], one["port"], one["password"]) for one in asked] == [
            ("a", 1, "other"),
            ("b", 26379, "other"),
        ]


@pytest.mark.parametrize(
    ("words", "server", "sentinels"), [("&ssl=true", True, True), ("&ssl_cert_reqs=none", True, True),
    ("&ssl=true&sentinel_ssl=false", True, False), ("", False, False)],
)  # fmt: skip
def test_sentinels_and_their_servers_are_reached_by_tls_when_that_is_asked_for(
    words: str, server: bool, sentinels: bool
) -> None:
    url = f"sentinel://a,b/0?master=m{words}"
    pool: Any = open_redis(url).connection_pool
    options = broker(url).transport_options["sentinel_kwargs"]

    assert (pool.connection_class is SentinelManagedSSLConnection) is server
    assert bool(broker(url).ssl) is server
    assert options.get("ssl", False) is sentinels
    assert "ssl_cert_reqs" in options or not sentinels


REFUSED = {
    "redis+cluster://h": "Redis Cluster",
    "rediss+cluster://h:7000/0": "Redis Cluster",
    "sentinel://a": "master=NAME",
    "sentinel://a?master=": "master",
    "sentinel://?master=m": "host",
    "sentinel://a,,b?master=m": "host",
    "sentinel://a?master=m&ssl=perhaps": "true or false",
    "sentinel://a?master=m&ssl=false&ssl_cert_reqs=none": "ssl=true",
    "sentinel://a?master=m&sentinel_ssl=true": "ssl=true",
    "redis://a,b/0": "sentinel://",
    "redis://h?ssl_cert_reqs=required": "rediss://",
    "rediss://h?ssl_cert_reqs=maybe": "CERT_REQUIRED",
    "rediss://h?ssl_cert_reqs=required&ssl_cert_reqs=none": "twice",
    "rediss://h?ssl_ca_certs=/nowhere/ca.pem": "ssl_ca_certs",
    "rediss://h?ssl_certfile=/nowhere/c.pem": "ssl_certfile",
    "rediss://h?ssl_keyfile=/nowhere/k.pem": "without ssl_certfile",
    "rediss://h?socket_timeout=3": "socket_timeout",
    "redis://h/abc": "/0",
    "redis://h/-1": "/0",
    "redis://h/0/1": "/0",
    "redis://h:0": "port",
    "redis://h:65536": "port",
    "redis://h:port": "port",
    "redis://:hunter2#x@h": "percent-encoded",
    "redis://:hunter2/x@h:6379/0": "percent-encoded",
    "redis://:hunter2?x@h:6379/0": "percent-encoded",
    "redis://h\n": "line break",
    "redis://h /0": "space",
    "unix:///tmp/redis.sock": "redis://127.0.0.1",
    "redis:h": "redis://127.0.0.1",
    "hunter2": "redis://127.0.0.1",
    "": "redis://127.0.0.1",
}


@pytest.mark.parametrize(("url", "says"), REFUSED.items())
def test_an_address_that_cannot_be_meant_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        RedisAddress.parse(url)
    assert "hunter2" not in str(caught.value)


@given(
    st.text(st.sampled_from("redis:/@?#[],;=%&a1.\\\n \x00é"), max_size=40).map("redis://".__add__)
    | st.text(max_size=40)
)
def test_any_text_is_an_address_that_can_be_written_again_or_is_refused(text: str) -> None:
    try:
        address = RedisAddress.parse(text)
    except ValueError as error:
        said: ValueError | None = error
    else:
        said = None
        assert RedisAddress.parse(address.broker_url) == address
    assert type(said) in (ValueError, type(None))
    assert "\n" not in str(said)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_any_password_that_is_percent_encoded_arrives_as_it_is(user: str, password: str) -> None:
    address = RedisAddress(hosts=(("h", 1),), username=user, password=password)
    read, made = RedisAddress.parse(address.broker_url), Connection(address.broker_url)

    assert (read.username, read.password) == (user, password)
    assert (made.userid, made.password) == (user, password)


def test_an_address_shows_no_password_in_its_text() -> None:
    assert "hunter2" not in repr(RedisAddress.parse("sentinel://:hunter2@a/0?master=m&sentinel_password=hunter2"))


@pytest.mark.parametrize("name", ["CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"])
def test_another_address_that_celery_would_obey_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "redis://elsewhere/0")
    with pytest.raises(SettingsError, match=f"{name} is set.*TAXIWAY_REDIS_URL"):
        broker_settings(Settings(redis_url="redis://h/0"))
    monkeypatch.setenv(name, "redis://h/0")
    broker_settings(Settings(redis_url="redis://h/0"))
