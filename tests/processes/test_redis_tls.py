"""No client of ours talks by TLS to a server with an unverified certificate; a cluster is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kombu import Connection

from models.errors import SettingsError
from models.runtime.celery_settings import broker_settings
from models.runtime.redis_client import check_kind, open_async_redis, open_redis
from models.runtime.settings import Settings
from ops.embedded import ValkeyServer
from tests.processes.tls_redis import private_authority, tls_in_front


def by_hints(url: str) -> bool:
    with open_redis(url) as client:
        return bool(client.ping())


def by_streams(url: str) -> bool:
    async def ping() -> bool:
        async with open_async_redis(url) as client:
            return bool(await client.ping())

    return asyncio.run(ping())


def by_celery(url: str) -> bool:
    chosen = broker_settings(Settings(redis_url=url))
    options = chosen["broker_transport_options"]
    with Connection(chosen["broker_url"], ssl=chosen["broker_use_ssl"], transport_options=options) as broker:
        return bool(broker.default_channel.client.ping())


CLIENTS = pytest.mark.parametrize("ping", [by_hints, by_streams, by_celery])


@pytest.fixture
def secure(valkey: ValkeyServer, tmp_path: Path) -> Iterator[str]:
    """Return an address by TLS; its certificate is of `ca.pem` in the test's folder."""
    private_authority(tmp_path)
    with tls_in_front(valkey.port, tmp_path / "server.pem") as port:
        yield f"rediss://:{valkey.password}@127.0.0.1:{port}/0"


@CLIENTS
def test_a_certificate_of_an_unknown_authority_is_refused(secure: str, ping: Callable[[str], bool]) -> None:
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        ping(secure)


@CLIENTS
@pytest.mark.parametrize("level", ["", "&ssl_cert_reqs=CERT_REQUIRED", "&ssl_cert_reqs=required"])
def test_a_private_authority_is_named_in_the_address(
    secure: str, tmp_path: Path, ping: Callable[[str], bool], level: str
) -> None:
    assert ping(f"{secure}?ssl_ca_certs={tmp_path / 'ca.pem'}{level}")


@CLIENTS
@pytest.mark.parametrize("word", ["none", "CERT_NONE"])
def test_nothing_is_verified_where_the_address_says_so(secure: str, ping: Callable[[str], bool], word: str) -> None:
    assert ping(f"{secure}?ssl_cert_reqs={word}")


def test_a_server_that_answers_as_a_cluster_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with (
        ValkeyServer(tmp_path, {"cluster-enabled": "yes"}) as cluster,
        pytest.raises(SettingsError, match=r"^TAXIWAY_REDIS_URL is wrong: it is a Redis Cluster, .*sentinel://"),
    ):
        check_kind(cluster.url())


def test_a_server_that_is_away_or_is_one_server_is_no_cluster(valkey: ValkeyServer) -> None:
    check_kind(valkey.url())
    check_kind("redis://127.0.0.1:9/0")
