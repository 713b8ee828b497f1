"""A provider that is replaced by another one gets nothing kept for the earlier one: no secret, no code and no token."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.oauth import NAME, Loopback, come_back, consent, decide, loopback, set_out
from tests.postgres.proxied import until
from tests.system.api_server import ApiServer
from tests.system.consenting import EVERYTHING, Asking, knowing_itself
from tests.system.fake_worker import FakeWorker

BODY: dict[str, Any] = {
    "authorizeUrl": "https://a.example/a", "tokenUrl": "https://a.example/t", "revocationUrl": "https://a.example/r",
    "clientId": "us", "clientAuth": "post",
}  # fmt: skip


@pytest.fixture(scope="module")
def provider() -> Iterator[Loopback]:
    with loopback() as provider:
        yield provider


@pytest.fixture(scope="module")
def api(servers: Any, api_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Return an API that knows its own address."""
    folder = tmp_path_factory.mktemp("api")
    with knowing_itself(api_database, servers.broker(0), folder, {"TAXIWAY_SECRET_KEY": "k" * 40}) as api:
        yield api


@pytest.fixture(scope="module")
def http(api: ApiServer, fake_worker: FakeWorker) -> Iterator[httpx.Client]:
    with api.client(api.key(scopes=EVERYTHING)) as client:
        yield client


@pytest.fixture(autouse=True)
def as_at_the_start(http: httpx.Client, provider: Loopback) -> None:
    provider.reset()
    assert http.put(f"/v1/providers/{NAME}", json=provider.settings()).status_code in (200, 201)


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Return the address of a server that must receive no connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        assert select.select([server], [], [], 0)[0] == [], "something was on its way there"


@pytest.mark.parametrize("secret", ["very-secret", None])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"tokenUrl": "https://b.example/t"}, "tokenUrl was"),
        ({"revocationUrl": "https://b.example/r"}, "revocationUrl was"),
        ({"revocationUrl": None}, "revocationUrl was"),
        ({"clientId": "them"}, "clientId was"),
        ({"clientAuth": "basic"}, "clientAuth was"),
        ({"tokenUrl": "https://b.example/t", "clientId": "them"}, "tokenUrl, clientId were"),
    ],
)
def test_a_secret_is_not_kept_for_another_place(
    http: httpx.Client, change: dict[str, Any], named: str, secret: str | None
) -> None:
    http.delete("/v1/providers/moving")
    assert http.put("/v1/providers/moving", json=BODY | {"clientSecret": secret}).status_code == 201
    before = http.get("/v1/providers/moving").json()
    refused = http.put("/v1/providers/moving", json=BODY | {"scopes": ["new"]} | change)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
    [error] = refused.json()["errors"]
    assert error["field"] == "clientSecret"
    assert f"because {named} changed" in error["detail"]
    assert http.get("/v1/providers/moving").json() == before
    for told in ("another-secret", None):
        assert http.put("/v1/providers/moving", json=BODY | change | {"clientSecret": told}).status_code == 200


def test_a_provider_is_changed_elsewhere_without_its_secret(http: httpx.Client) -> None:
    http.delete("/v1/providers/still")
    assert http.put("/v1/providers/still", json=BODY).status_code == 201, "a new one has nothing that could be kept"
    more = {"scopes": ["x"], "parameters": {"prompt": "consent"}, "authorizeUrl": "https://c.example/a"}
    assert http.put("/v1/providers/still", json=BODY | more).status_code == 200


@pytest.mark.parametrize("again", ["put", "delete and put"])
def test_who_set_out_to_the_provider_of_before_brings_nothing_to_the_new_one(
    http: httpx.Client, fake_worker: FakeWorker, provider: Loopback, elsewhere: str, again: str
) -> None:
    asking = Asking(http, fake_worker, f"set-out-{again}")
    callback = decide(set_out(asking.link))
    if again != "put":
        http.delete(f"/v1/providers/{NAME}")
    moved = provider.settings(tokenUrl=f"{elsewhere}/token", revocationUrl=f"{elsewhere}/revoke")
    assert http.put(f"/v1/providers/{NAME}", json=moved).status_code in (200, 201)
    page = come_back(callback)
    assert (page.status_code, "was changed while you were there" in page.text) == (502, True)
    assert asking.status == "AUTH_REQUIRED"
    http.put(f"/v1/providers/{NAME}", json=provider.settings())
    assert consent(asking.link).status_code == 200
    assert asking.status == "RUNNING"


def test_what_comes_while_the_provider_changes_is_not_stored(
    http: httpx.Client, fake_worker: FakeWorker, provider: Loopback, api: ApiServer
) -> None:
    asking = Asking(http, fake_worker, "meanwhile")
    callback, answers = decide(set_out(asking.link)), list[httpx.Response]()
    with api.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("UPDATE provider SET token_url = 'https://b.example/t' WHERE name = %s", [NAME])
        coming = threading.Thread(target=lambda: answers.append(come_back(callback)))
        coming.start()
        waits = "SELECT TRUE AS waits FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
        with api.connect() as watching:
            pid = connection.info.backend_pid
            until(lambda: watching.execute(waits, [pid]).fetchone(), "the consent waits for the provider's row")
        connection.execute("COMMIT")
    coming.join(20)
    assert answers[0].status_code == 502
    assert "was changed" in answers[0].text
    assert http.get("/v1/grants", params={"subject": "meanwhile"}).json()["grants"] == []
    assert asking.status == "AUTH_REQUIRED"


@pytest.mark.parametrize("changed", ["tokenUrl", "clientId", "revocationUrl"])
def test_a_grant_is_revoked_at_its_giver_or_only_here(
    http: httpx.Client, fake_worker: FakeWorker, provider: Loopback, elsewhere: str, changed: str
) -> None:
    asking = Asking(http, fake_worker, f"revoked-{changed}")
    assert consent(asking.link).status_code == 200
    new = {"revocationUrl": f"{elsewhere}/revoke"} | ({changed: f"{elsewhere}/x"} if changed != "revocationUrl" else {})
    assert http.put(f"/v1/providers/{NAME}", json=provider.settings(**new)).status_code == 200
    before = provider.calls()
    [grant] = http.get("/v1/grants", params={"subject": f"revoked-{changed}"}).json()["grants"]
    assert http.delete(f"/v1/grants/{grant['id']}").status_code == 204
    assert provider.calls() == before
    [gone] = http.get("/v1/grants", params={"subject": f"revoked-{changed}"}).json()["grants"]
    assert gone["revokedAt"] is not None


def test_what_the_provider_of_before_gave_is_not_asked_for_again(
    http: httpx.Client, fake_worker: FakeWorker, provider: Loopback
) -> None:
    """A new consent requests the grant's scopes, so that other runs keep them, but no scopes of another provider."""
    consent(Asking(http, fake_worker, "scopes", scopes=["read:mail"]).link)
    http.put(f"/v1/providers/{NAME}", json=provider.settings(clientId="another"))
    assert "read%3Amail" not in set_out(Asking(http, fake_worker, "scopes").link)
