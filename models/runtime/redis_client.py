"""Opens clients of Redis or Valkey whose calls fail within seconds instead of hanging on a half-open connection."""

import ssl
from typing import Any

import kombu.connection
import redis
import redis.asyncio as aioredis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from models.errors import SettingsError
from models.runtime.redis_address import RedisAddress

_NOT_ONE_SERVER = {
    "cluster": "is a Redis Cluster, which Celery cannot use as a broker: give one server, or sentinels (sentinel://)",
    "sentinel": "is a sentinel: write sentinel://HOST:26379/0?master=NAME",
}
_TIMEOUTS = {"socket_connect_timeout": 5, "socket_keepalive": True}

# Of a rediss:// address without options, such as `celery --broker`, kombu verifies no certificate.
kombu.connection.CERT_NONE = ssl.CERT_REQUIRED  # type: ignore[attr-defined]  # kombu's own import of it


def open_redis(url: str, **options: Any) -> "redis.Redis":
    """Open a client of the server, or of the master that the sentinels name at each new connection; it never retries."""
    address = RedisAddress.parse(url)
    given = {**_TIMEOUTS, "socket_timeout": 5, "health_check_interval": 10, **_login(address), **options}
    if address.master is None:
        kind = redis.Connection if address.tls is None else redis.SSLConnection
        return redis.Redis.from_pool(redis.ConnectionPool(kind, **_server(address), **given))
    asked = {**address.sentinel_options(), "retry": Retry(NoBackoff(), 0)}  # the next sentinel is asked instead
    given |= {} if address.tls is None else {"ssl": True}
    sentinel: Any = Sentinel  # redis leaves it untyped
    client: redis.Redis = sentinel(address.hosts, sentinel_kwargs=asked).master_for(address.master, **given)
    return client


def open_async_redis(url: str) -> "aioredis.Redis":
    """Open a client for asyncio; it never retries."""
    address, retry = RedisAddress.parse(url), AsyncRetry(NoBackoff(), 0)
    given = {**_TIMEOUTS, "socket_timeout": 10, "retry": retry, **_login(address)}
    if address.master is None:
        kind = aioredis.Connection if address.tls is None else aioredis.SSLConnection
        return aioredis.Redis.from_pool(aioredis.ConnectionPool(kind, **_server(address), **given))
    asked = {**address.sentinel_options(), "retry": retry}
    given |= {} if address.tls is None else {"ssl": True}
    sentinel: Any = AsyncSentinel  # as above
    client: aioredis.Redis = sentinel(address.hosts, sentinel_kwargs=asked).master_for(address.master, **given)
    return client


def check_kind(url: str) -> None:
    """Raise SettingsError when what answers is a cluster or a sentinel; a server that is away may come later."""
    try:
        with open_redis(url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            found: Any = client.info("server")
    except (redis.RedisError, OSError):
        return
    sentence = _NOT_ONE_SERVER.get(str(found.get("redis_mode") or found.get("server_mode")))
    if sentence:
        raise SettingsError(f"TAXIWAY_REDIS_URL is wrong: it {sentence}.")


def _server(address: RedisAddress) -> dict[str, Any]:
    host, port = address.hosts[0]
    return {"host": host, "port": port}


def _login(address: RedisAddress) -> dict[str, Any]:
    return {"db": address.db, "username": address.username, "password": address.password, **(address.tls or {})}
