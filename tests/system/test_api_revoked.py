"""Connections of a key end when it is revoked, by whichever process; those of other keys continue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.system.api_server import ApiServer
from tests.system.following import Frame, enqueue, frames

Opened = tuple[Iterator[Frame], httpx.Client]


def _here(api: ApiServer, acme: httpx.Client, key: str) -> None:
    assert acme.delete(f"/v1/keys/{key}").status_code == 204


def _elsewhere(api: ApiServer, acme: httpx.Client, key: str) -> None:
    with api.connect() as connection:
        connection.execute("UPDATE api_key SET revoked_at = now() WHERE id = %s", [key])


WAYS = {"by this process": _here, "by another process": _elsewhere}


@contextmanager
def streaming(client: httpx.Client, path: str) -> Iterator[Iterator[Frame]]:
    """Open a stream, and read its first frame."""
    with client.stream("GET", path) as response:
        assert response.status_code == 200
        told = frames(response)
        next(told)
        yield told


@pytest.mark.parametrize("way", WAYS)
def test_streams_and_waits_end_with_their_key(api: ApiServer, acme: httpx.Client, way: str) -> None:
    run = enqueue(acme)
    made = acme.post("/v1/keys", json={"name": "guest", "scopes": ["read", "decide"]}).json()
    revoke: Callable[[ApiServer, httpx.Client, str], None] = WAYS[way]
    with (
        api.client(made["key"]) as guest,
        streaming(guest, f"/v1/runs/{run}/sse") as of_run,
        streaming(guest, "/v1/events/sse") as of_tenant,
        streaming(acme, "/v1/events/sse") as of_another,
        ThreadPoolExecutor(1) as threads,
    ):
        waiting = threads.submit(guest.get, f"/v1/runs/{run}/wait", params={"timeout": 25})
        revoke(api, acme, made["id"])
        for told in (of_run, of_tenant):
            assert not any(frame["event"] == "keepalive" for frame in told)
        assert waiting.result().json()["code"] == "unauthenticated"
        later = enqueue(acme)
        assert next(one for one in of_another if one["event"] != "keepalive" and one.json["runId"] == later)
