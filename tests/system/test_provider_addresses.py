"""A server that calls only public addresses refuses others when they are stored, and when a name leads inside."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.oauth import come_back, params, set_out
from tests.system.api_server import ApiServer
from tests.system.consenting import Asking
from tests.system.fake_worker import FakeWorker

BODY = {"authorizeUrl": "https://a.example/a", "tokenUrl": "https://a.example/t", "clientId": "us"}


@pytest.fixture(scope="module")
def api(servers: Any, api_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Return an API that knows its own address, and has no setting about those of others."""
    settings = {"TAXIWAY_SECRET_KEY": "k" * 40}
    server = ApiServer(api_database, servers.broker(0), tmp_path_factory.mktemp("api") / "api.log", settings)
    settings["TAXIWAY_PUBLIC_URL"] = server.url
    yield server.start()
    server.stop()
    assert "api.fault" not in server.log.read_text(), server.log.read_text()[-5000:]


@pytest.mark.parametrize("field", ["tokenUrl", "revocationUrl"])
@pytest.mark.parametrize(
    "address",
    ["https://10.0.0.1/t", "https://localhost/t", "https://[::1]/t", "https://127.1/t", "http://127.0.0.1:9/t"],
)
def test_a_private_address_is_refused_by_field(acme: httpx.Client, field: str, address: str) -> None:
    answer = acme.put("/v1/providers/inside", json={**BODY, field: address})
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, [field])
    assert "TAXIWAY_PRIVATE_PROVIDERS" in answer.json()["detail"]
    assert acme.get("/v1/providers/inside").status_code == 404


def test_people_may_be_sent_to_a_private_address_but_not_without_tls(acme: httpx.Client) -> None:
    assert acme.put("/v1/providers/sso", json={**BODY, "authorizeUrl": "https://10.0.0.1/a"}).status_code == 201
    plain = acme.put("/v1/providers/sso", json={**BODY, "authorizeUrl": "http://127.0.0.1/a"})
    assert [error["field"] for error in plain.json()["errors"]] == ["authorizeUrl"]


def test_a_name_that_leads_inside_is_not_called(acme: httpx.Client, api: ApiServer, fake_worker: FakeWorker) -> None:
    """As after a change of the name's addresses: the stored name was public when it was written."""
    assert acme.put("/v1/providers/moved", json=BODY).status_code == 201
    with socket.create_server(("127.0.0.1", 0)) as inside, api.connect() as connection:
        there = f"https://localhost:{inside.getsockname()[1]}/t"
        connection.execute("UPDATE provider SET token_url = %s WHERE name = 'moved'", [there])
        asking = Asking(acme, fake_worker, "moved", provider="moved")
        state = params(set_out(asking.link))["state"]
        page = come_back(f"{acme.base_url}/v1/auth/callback/moved?{urlencode({'state': state, 'code': 'c'})}")
        assert (page.status_code, "moved is not called: localhost is a private address" in page.text) == (502, True)
        assert select.select([inside], [], [], 0)[0] == []
    assert asking.status == "AUTH_REQUIRED"
