"""The way to a provider and back: a link or a state that is wrong, old, used or another user's changes nothing."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from taxiway.client import Client

from api.consent import state as states
from models.moves import NewWait
from models.tables.provider import Provider
from tests.oauth import NAME, Loopback, come_back, consent, decide, loopback, params, set_out
from tests.postgres.proxied import settings_of
from tests.system.api_server import ApiServer
from tests.system.consenting import EVERYTHING, HOUR, Asking, knowing_itself, refused
from tests.system.fake_worker import INPUT, FakeWorker

SECRET_KEY = "k" * 40


@pytest.fixture(scope="module")
def provider() -> Iterator[Loopback]:
    with loopback() as provider:
        yield provider


@pytest.fixture(scope="module")
def api(servers: Any, api_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Return an API that knows its own address, with its most detailed log."""
    settings = {"TAXIWAY_SECRET_KEY": SECRET_KEY, "TAXIWAY_LOG_LEVEL": "debug"}
    folder = tmp_path_factory.mktemp("api")
    with knowing_itself(api_database, servers.broker(0), folder, settings) as api:
        yield api


@pytest.fixture(scope="module")
def http(api: ApiServer, fake_worker: FakeWorker, provider: Loopback) -> Iterator[httpx.Client]:
    with api.client(api.key(scopes=EVERYTHING)) as client:
        assert client.put(f"/v1/providers/{NAME}", json=provider.settings()).status_code == 201
        yield client


@pytest.fixture(autouse=True)
def as_at_the_start(http: httpx.Client, provider: Loopback) -> Iterator[None]:
    yield
    provider.reset()
    http.put(f"/v1/providers/{NAME}", json=provider.settings())


def test_the_way_to_the_provider_tells_it_neither_the_token_nor_who_asked(
    http: httpx.Client, fake_worker: FakeWorker
) -> None:
    asking = Asking(http, fake_worker, "way")
    answer = httpx.get(asking.link, trust_env=False)
    assert (answer.status_code, answer.headers["referrer-policy"]) == (303, "no-referrer")
    asked = params(answer.headers["location"])
    assert asked["code_challenge_method"] == "S256"
    assert (asked["response_type"], asked["scope"]) == ("code", "read:notes")
    assert params(asking.link)["token"] not in answer.headers["location"]
    assert "way" not in asked.values()
    assert (asking.status, asking.outcomes()) == ("AUTH_REQUIRED", [])


def test_a_link_that_is_not_whole_opens_nothing(http: httpx.Client, fake_worker: FakeWorker) -> None:
    asking, other = Asking(http, fake_worker, "whole"), Asking(http, fake_worker, "other")
    token = params(asking.link)["token"]
    for wrong in (
        token[:-1],
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        "",
        "x" * 500,
        params(other.link)["token"],
    ):
        refused(f"{http.base_url}/v1/auth/{asking.wait.id}/start?{urlencode({'token': wrong})}", "token_unknown", 404)
    for wrong in ("nothing", str(other.wait.id), "00000000-0000-7000-8000-000000000000"):
        refused(f"{http.base_url}/v1/auth/{wrong}/start?{urlencode({'token': token})}", "token_unknown", 404)
    assert (asking.status, other.status) == ("AUTH_REQUIRED", "AUTH_REQUIRED")


def test_a_state_that_was_not_made_here_changes_nothing(http: httpx.Client, fake_worker: FakeWorker) -> None:
    asking = Asking(http, fake_worker, "state")
    callback = decide(set_out(asking.link))
    good = params(callback)
    raw = base64.urlsafe_b64decode(good["state"] + "==")
    for place in (0, 20, 30, 45, 87):  # the wait, the time, the random part, the provider, the signature
        bent = bytearray(raw)
        bent[place] ^= 1
        wrong = {**good, "state": base64.urlsafe_b64encode(bent).decode()}
        refused(f"{http.base_url}/v1/auth/callback/{NAME}?{urlencode(wrong)}", "token_unknown", 404)
    refused(f"{http.base_url}/v1/auth/callback/{NAME}?{urlencode({**good, 'state': 'x'})}", "token_unknown", 404)
    other = Asking(http, fake_worker, "another")
    swapped = {"state": params(set_out(other.link))["state"], "code": good["code"]}
    refused(
        f"{http.base_url}/v1/auth/callback/{NAME}?{urlencode(swapped)}", "provider_failed", 502
    )  # PKCE: not its verifier
    assert (asking.status, other.status) == ("AUTH_REQUIRED", "AUTH_REQUIRED")
    assert http.get("/v1/grants", params={"subject": "another"}).json()["grants"] == []


def test_a_state_that_is_old_changes_nothing_and_says_what_to_do(
    http: httpx.Client, fake_worker: FakeWorker, provider: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = Asking(http, fake_worker, "old")
    with settings_of(monkeypatch, SECRET_KEY=SECRET_KEY):
        ago = time.time() - states.GOOD_SECONDS - 5
        made = states.new_state(asking.wait.id, asking.wait.nonce or "", ago, Provider(name=NAME))
    old = urlencode({"state": made.text(), "code": "c"})
    page = refused(f"{http.base_url}/v1/auth/callback?{old}", "token_expired", 410)
    assert "Open the link again" in page.text
    assert asking.status == "AUTH_REQUIRED"


def test_what_came_back_once_comes_back_in_vain_a_second_time(
    http: httpx.Client, fake_worker: FakeWorker, provider: Loopback
) -> None:
    asking = Asking(http, fake_worker, "twice")
    link = asking.link
    callback = decide(set_out(link))
    assert come_back(callback).status_code == 200
    before, [grant] = provider.calls(), http.get("/v1/grants", params={"subject": "twice"}).json()["grants"]
    refused(callback, "token_used", 410)
    refused(link, "token_used", 410)
    assert provider.calls() == before
    assert http.get("/v1/grants", params={"subject": "twice"}).json()["grants"] == [grant]
    assert (asking.status, asking.outcomes()) == ("RUNNING", ["authorized"])


def test_the_link_of_a_run_that_ended_or_waited_too_long_is_good_no_more(
    http: httpx.Client, fake_worker: FakeWorker
) -> None:
    ended, late = Asking(http, fake_worker, "ended"), Asking(http, fake_worker, "late", due_ms=50)
    links = ended.link, late.link
    callback = decide(set_out(links[0]))
    http.delete(f"/v1/runs/{ended.run}")
    page = refused(links[0], "token_used", 410)
    assert "CANCELED" in page.text
    refused(callback, "token_used", 410)
    time.sleep(0.06)  # the wait's own time
    refused(links[1], "token_expired", 410)
    assert http.get("/v1/grants", params={"subject": "ended"}).json()["grants"] == []


@pytest.mark.parametrize("status", [503, 404])
def test_a_provider_that_is_out_of_order_leaves_the_run_waiting(
    http: httpx.Client, fake_worker: FakeWorker, provider: Loopback, status: int
) -> None:
    asking = Asking(http, fake_worker, f"out-{status}")
    callback = decide(set_out(asking.link))
    provider.conduct(status=status)
    page = come_back(callback)
    assert (page.status_code, f"{NAME} answered {status}" in page.text) == (502, True)
    assert "Try again" in page.text
    assert (asking.status, asking.outcomes()) == ("AUTH_REQUIRED", [])
    provider.reset()
    assert consent(asking.link).status_code == 200
    assert asking.status == "RUNNING"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"clientSecret": "nonsense"}, "invalid_client"),
        ({"tokenUrl": "http://127.0.0.1:1/token"}, "cannot be reached"),
        ({"clientAuth": "post", "clientSecret": None}, "invalid_client"),
    ],
)
def test_a_provider_that_was_introduced_wrongly_says_so_and_the_run_waits(
    http: httpx.Client, fake_worker: FakeWorker, provider: Loopback, wrong: dict[str, Any], says: str
) -> None:
    asking = Asking(http, fake_worker, f"wrong-{says}")
    http.put(f"/v1/providers/{NAME}", json=provider.settings(**wrong))
    page = consent(asking.link)
    assert (page.status_code, says in page.text) == (502, True)
    assert (asking.status, asking.outcomes()) == ("AUTH_REQUIRED", [])


@pytest.mark.parametrize("error", ["temporarily_unavailable", "invalid_scope", "<script>"])
def test_an_error_of_the_provider_that_is_no_refusal_leaves_the_run_waiting(
    http: httpx.Client, fake_worker: FakeWorker, error: str
) -> None:
    asking = Asking(http, fake_worker, f"error-{error}")
    state = params(set_out(asking.link))["state"]
    page = come_back(f"{http.base_url}/v1/auth/callback/{NAME}?{urlencode({'state': state, 'error': error})}")
    assert (page.status_code, "<script>" in page.text) == (502, False)
    assert asking.status == "AUTH_REQUIRED"


def test_a_refusal_is_taken_for_one_and_counts_once(http: httpx.Client, fake_worker: FakeWorker) -> None:
    asking = Asking(http, fake_worker, "no")
    callback = decide(set_out(asking.link), "deny")
    assert come_back(callback, "application/json").json()["outcome"] == "denied"
    assert (asking.status, asking.outcomes()) == ("FAILED", ["denied"])
    refused(callback, "token_used", 410)


def test_what_is_given_at_a_provider_is_completed_by_nobody_else(http: httpx.Client, fake_worker: FakeWorker) -> None:
    asking = Asking(http, fake_worker, "else")
    body = {"token": params(asking.link)["token"], "outcome": "authorized"}
    answer = httpx.post(f"{http.base_url}/v1/auth/{asking.wait.id}/complete", json=body, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert asking.status == "AUTH_REQUIRED"


def test_grants_are_seen_revoked_and_used_by_their_tenant_alone(
    api: ApiServer, http: httpx.Client, fake_worker: FakeWorker, provider: Loopback
) -> None:
    mine = Asking(http, fake_worker, "shared")
    consent(mine.link)
    [grant] = http.get("/v1/grants", params={"subject": "shared", "provider": NAME}).json()["grants"]
    with api.client(api.key("other", scopes=EVERYTHING)) as other:
        assert other.get("/v1/grants").json()["grants"] == []
        assert other.delete(f"/v1/grants/{grant['id']}").status_code == 404
        theirs = Asking(other, fake_worker, "shared", tenant="other")
        assert theirs.status == "AUTH_REQUIRED", "a grant of the same name in another tenant is another's"
        consent(theirs.link)
        assert len(other.get("/v1/grants").json()["grants"]) == 1
    assert http.get("/v1/grants", params={"subject": "shared"}).json()["grants"] == [grant]
    with api.client(api.key(scopes=("read", "enqueue"))) as reader:
        assert reader.delete(f"/v1/grants/{grant['id']}").json()["code"] == "forbidden"
        assert reader.get("/v1/providers").json()["code"] == "forbidden"


def test_the_list_of_grants_comes_in_pages(http: httpx.Client, fake_worker: FakeWorker, api: ApiServer) -> None:
    for number in range(3):
        consent(Asking(http, fake_worker, f"page-{number}").link)
    with Client(api.url, api.key(scopes=EVERYTHING)) as client:
        found = [grant["subject"] for grant in client.grants(provider=NAME) if grant["subject"].startswith("page-")]
    assert found == ["page-2", "page-1", "page-0"]
    page = http.get("/v1/grants", params={"limit": 1}).json()
    assert len(page["grants"]) == 1
    assert http.get("/v1/grants", params={"cursor": "nonsense"}).json()["code"] == "invalid_cursor"
    assert http.get("/v1/grants", params={"cursor": page["nextCursor"]}).json()["grants"] != page["grants"]


def test_a_provider_is_shown_without_its_secret_which_stays_where_none_is_sent(
    http: httpx.Client, api: ApiServer
) -> None:
    body = {"authorizeUrl": "https://a.example/a", "tokenUrl": "https://a.example/t", "clientId": "us"}
    made = http.put("/v1/providers/temporary", json={**body, "clientSecret": "very-secret-indeed"})
    assert (made.status_code, made.json()["clientAuth"]) == (201, "basic")
    changed = http.put("/v1/providers/temporary", json={**body, "scopes": ["x"], "parameters": {"prompt": "consent"}})
    assert (changed.status_code, changed.json()["scopes"], changed.json()["clientAuth"]) == (200, ["x"], "basic")
    listed = http.get("/v1/providers")
    assert all(
        "very-secret" not in answer.text for answer in (made, changed, listed, http.get("/v1/providers/temporary"))
    )
    with api.connect() as connection:
        row = connection.execute("SELECT * FROM provider WHERE name = 'temporary'").fetchone()
    assert "very-secret" not in str(row)
    assert http.put("/v1/providers/temporary", json={**body, "clientSecret": None}).json()["clientAuth"] == "none"
    assert http.delete("/v1/providers/temporary").status_code == 204
    assert http.delete("/v1/providers/temporary").json()["code"] == "not_found"
    assert http.get("/v1/providers/temporary").json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"authorizeUrl": "http://a.example/a"}, "authorizeUrl"),
        ({"authorizeUrl": "https://a.example/a?prompt=consent"}, "authorizeUrl"),
        ({"authorizeUrl": "https://a.example/a?client_id=them"}, "authorizeUrl"),
        ({"authorizeUrl": "https://a.example/a?"}, "authorizeUrl"),
        ({"authorizeUrl": "https://@a.example/a"}, "authorizeUrl"),
        ({"parameters": {"request_uri": "https://b.example"}}, "parameters"),
        ({"tokenUrl": "ftp://a.example"}, "tokenUrl"),
        ({"tokenUrl": "https://user:pass@a.example/t"}, "tokenUrl"),
        ({"revocationUrl": "https://a.example/r#x"}, "revocationUrl"),
        ({"clientId": ""}, "clientId"),
        ({"clientAuth": "jwt"}, "clientAuth"),
        ({"scopes": ["two words"]}, "scopes[0]"),
        ({"parameters": {"state": "mine"}}, "parameters"),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_a_provider_that_makes_no_sense_is_refused_by_field(
    http: httpx.Client, wrong: dict[str, Any], field: str
) -> None:
    body = {"authorizeUrl": "https://a.example/a", "tokenUrl": "https://a.example/t", "clientId": "us", **wrong}
    answer = http.put("/v1/providers/senseless", json=body)
    assert answer.status_code == (422 if field == "surplus" else 400)
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert http.get("/v1/providers/senseless").status_code == 404


def test_a_name_that_no_agent_could_write_is_refused(http: httpx.Client) -> None:
    body = {"authorizeUrl": "https://a.example/a", "tokenUrl": "https://a.example/t", "clientId": "us"}
    assert http.put("/v1/providers/two%20words", json=body).json()["code"] == "invalid_request"


def test_under_another_secret_key_stored_secrets_are_unreadable_and_it_says_so(
    api: ApiServer, http: httpx.Client, fake_worker: FakeWorker, tmp_path: Path
) -> None:
    asking = Asking(http, fake_worker, "key")
    other = ApiServer(
        api.database_url, api.redis_url, tmp_path / "api.log", {**api.settings, "TAXIWAY_SECRET_KEY": "j" * 40}
    )
    other.settings["TAXIWAY_PUBLIC_URL"] = other.url
    other.start()
    try:
        with other.client(http.headers["x-api-key"]) as there:
            link = there.get(f"/v1/runs/{asking.run}").json()["pause"]["waits"][0]["authUrl"]
            page = refused(link, "provider_failed", 502)
            assert "another TAXIWAY_SECRET_KEY" in page.text
        refused(asking.link.replace(api.url, other.url), "token_unknown", 404)
    finally:
        other.stop()
    assert asking.status == "AUTH_REQUIRED"


def test_no_secret_of_an_authorization_is_logged(
    api: ApiServer, http: httpx.Client, fake_worker: FakeWorker, provider: Loopback
) -> None:
    asking = Asking(http, fake_worker, "logged")
    link, callback = asking.link, decide(set_out(asking.link))
    come_back(callback)
    log = api.log.read_text()
    assert "grant.given" in log
    secrets = [params(link)["token"], params(callback)["state"], params(callback)["code"], *provider.secrets()]
    assert [secret for secret in secrets if secret in log] == []


def test_the_wait_of_a_link_is_told_by_its_kind(fake_worker: FakeWorker, http: httpx.Client) -> None:
    """An approval's token opens no authorization, whatever its wait's id is."""
    run = str(http.post("/v1/runs", json={"agent": "refund", "input": INPUT}).json()["runId"])
    wait = NewWait("b", "approval", {"prompt": "Ship?"}, HOUR, "denied", nonce="d" * 32)
    fake_worker.ask(run, wait)
    token = params(http.get(f"/v1/runs/{run}").json()["pause"]["waits"][0]["approvalUrl"])["token"]
    refused(f"{http.base_url}/v1/auth/{wait.id}/start?token={token}", "token_unknown", 404)
