"""An authorization ends where it began: in the browser that opened the link, at the provider to which it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.oauth import NAME, Loopback, browser, come_back, consent, decide, loopback, params, set_out
from tests.system.api_server import ApiServer
from tests.system.browsing import a_browser, person
from tests.system.consenting import EVERYTHING, Asking, knowing_itself, refused
from tests.system.fake_worker import FakeWorker

CALLBACK = "/v1/auth/callback"
SETTINGS = {"TAXIWAY_SECRET_KEY": "k" * 40, "TAXIWAY_PRIVATE_PROVIDERS": "true"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Loopback]:
    with loopback() as provider:
        yield provider


@pytest.fixture(scope="module")
def api(servers: Any, api_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Return an API that knows its own address."""
    folder = tmp_path_factory.mktemp("api")
    with knowing_itself(api_database, servers.broker(0), folder, dict(SETTINGS)) as api:
        yield api


@pytest.fixture(scope="module")
def http(api: ApiServer, fake_worker: FakeWorker) -> Iterator[httpx.Client]:
    with api.client(api.key(scopes=EVERYTHING)) as client:
        yield client


@pytest.fixture(autouse=True)
def as_at_the_start(http: httpx.Client, provider: Loopback) -> None:
    browser.cookies.clear()
    http.delete(f"/v1/providers/{NAME}")
    assert http.put(f"/v1/providers/{NAME}", json=provider.settings()).status_code == 201


def test_another_browser_does_not_finish_what_one_has_begun(
    http: httpx.Client, fake_worker: FakeWorker, provider: Loopback
) -> None:
    asking = Asking(http, fake_worker, "another")
    callback, before = decide(set_out(asking.link)), provider.calls()
    own = dict(browser.cookies)
    browser.cookies.clear()
    page = refused(callback, "conflict", 409)
    assert "Open the link again in this browser; nothing is lost." in page.text
    assert params(asking.link)["token"] not in page.text, "who has the answer alone is not given the link"
    set_out(Asking(http, fake_worker, "its own").link)
    refused(callback, "conflict", 409)
    denied = (
        f"{http.base_url}{CALLBACK}/{NAME}?{urlencode({'state': params(callback)['state'], 'error': 'access_denied'})}"
    )
    refused(denied, "conflict", 409)
    assert (asking.status, asking.outcomes(), provider.calls()) == ("AUTH_REQUIRED", [], before)
    browser.cookies.update(own)
    assert come_back(callback).status_code == 200
    assert asking.status == "RUNNING"


def test_the_cookie_is_for_this_way_alone(http: httpx.Client, fake_worker: FakeWorker) -> None:
    answer = httpx.get(Asking(http, fake_worker, "cookie").link, trust_env=False)
    [(name, cookie)] = SimpleCookie(answer.headers["set-cookie"]).items()
    assert name.startswith("taxiway-auth-")
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", "/v1/auth")
    assert (cookie["max-age"], cookie["secure"], cookie["domain"]) == ("900", "", "")
    assert params(answer.headers["location"])["state"] not in cookie.value


def test_the_cookie_is_secure_where_people_come_by_https(
    http: httpx.Client, fake_worker: FakeWorker, api: ApiServer, tmp_path: Path
) -> None:
    asking = Asking(http, fake_worker, "secure")
    there = "https://taxiway.example/base"
    settings = {**SETTINGS, "TAXIWAY_PUBLIC_URL": there}
    secure = ApiServer(api.database_url, api.redis_url, tmp_path / "api.log", settings).start()
    try:
        answer = httpx.get(asking.link.replace(api.url, secure.url), trust_env=False)
    finally:
        secure.stop()
    [(name, cookie)] = SimpleCookie(answer.headers["set-cookie"]).items()
    assert name.startswith("__Secure-taxiway-auth-")
    assert (cookie["secure"], cookie["path"]) == (True, "/base/v1/auth")
    assert params(answer.headers["location"])["redirect_uri"] == f"{there}{CALLBACK}/{NAME}"


def test_authorizations_in_many_tabs_are_finished_and_the_oldest_of_too_many_is_forgotten(
    http: httpx.Client, fake_worker: FakeWorker
) -> None:
    asking = [Asking(http, fake_worker, f"tab-{n}") for n in range(3)]
    back = [decide(set_out(one.link)) for one in asking]
    for callback in reversed(back):
        assert come_back(callback).status_code == 200
    browser.cookies.clear()
    ways = [set_out(Asking(http, fake_worker, "many").link) for _ in range(14)]
    assert len(browser.cookies) == 10
    assert come_back(decide(ways[-1])).status_code == 200


def test_who_only_looks_breaks_nothing(http: httpx.Client, fake_worker: FakeWorker, provider: Loopback) -> None:
    asking = Asking(http, fake_worker, "looking")
    with httpx.Client(trust_env=False) as another:
        for client in (another, browser):
            assert client.head(asking.link).status_code == 303
            assert client.get(asking.link, headers={"sec-purpose": "prefetch"}).status_code == 303
    callback, before = decide(set_out(asking.link)), provider.calls()
    assert httpx.head(callback, trust_env=False).status_code == 409
    assert browser.head(callback).status_code == 200
    assert (asking.status, provider.calls()) == ("AUTH_REQUIRED", before)
    assert come_back(callback).status_code == 200


def test_a_person_authorizes_in_a_real_browser_and_is_told_in_another_what_to_do(
    http: httpx.Client, fake_worker: FakeWorker
) -> None:
    asking, later = Asking(http, fake_worker, "real"), Asking(http, fake_worker, "real-later", scopes=["read:mail"])
    with a_browser() as program, person(program) as ann, person(program) as bob:
        ann.page.goto(asking.link)
        ann.press("Allow")
        assert ann.heading() == "Authorized"
        callback = decide(set_out(later.link))
        bob.page.goto(callback)
        assert "Open the link again in this browser" in bob.page.inner_text("main")
        assert later.status == "AUTH_REQUIRED"
        bob.page.goto(later.link)
        bob.press("Allow")
        assert bob.heading() == "Authorized"
    assert (asking.status, later.status) == ("RUNNING", "RUNNING")


def _moved(callback: str, place: str) -> str:
    """Change an answer to another callback address."""
    head, _, query = callback.partition("?")
    return f"{head.partition(CALLBACK)[0]}{CALLBACK}{place}?{query}"


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_an_answer_is_taken_at_the_address_of_its_provider_alone(
    http: httpx.Client, fake_worker: FakeWorker, provider: Loopback, decision: str
) -> None:
    http.put("/v1/providers/rogue", json=provider.settings())
    shown = http.get(f"/v1/providers/{NAME}").json()
    assert (shown["callback"], shown["callbackUrl"]) == ("own", f"{http.base_url}{CALLBACK}/{NAME}")
    asking = Asking(http, fake_worker, f"place-{decision}")
    way = set_out(asking.link)
    assert params(way)["redirect_uri"] == shown["callbackUrl"]
    callback, before = decide(way, decision), provider.calls()
    for place in ("", "/rogue", "/none", f"/{NAME.upper()}"):
        page = refused(_moved(callback, place), "provider_failed", 502)
        assert "did not arrive at the address of" in page.text
    assert (asking.status, asking.outcomes(), provider.calls()) == ("AUTH_REQUIRED", [], before)
    come_back(callback)
    assert asking.status == ("RUNNING" if decision == "allow" else "FAILED")


def test_a_provider_keeps_the_shared_address_until_it_is_told_otherwise(
    http: httpx.Client, fake_worker: FakeWorker, provider: Loopback
) -> None:
    shown = http.put(f"/v1/providers/{NAME}", json=provider.settings(callback="shared")).json()
    assert (shown["callback"], shown["callbackUrl"]) == ("shared", f"{http.base_url}{CALLBACK}")
    kept = http.put(f"/v1/providers/{NAME}", json=provider.settings()).json()
    assert kept["callback"] == "shared"
    asking = Asking(http, fake_worker, "shared")
    way = set_out(asking.link)
    assert params(way)["redirect_uri"] == shown["callbackUrl"]
    callback = decide(way)
    refused(_moved(callback, f"/{NAME}"), "provider_failed", 502)
    assert asking.status == "AUTH_REQUIRED"
    assert come_back(callback).status_code == 200
    assert http.put(f"/v1/providers/{NAME}", json=provider.settings(callback="own")).json()["callback"] == "own"
    late = Asking(http, fake_worker, "shared-late")
    assert params(set_out(late.link))["redirect_uri"] == f"{http.base_url}{CALLBACK}/{NAME}"


def test_a_provider_may_have_any_name(http: httpx.Client, fake_worker: FakeWorker, provider: Loopback) -> None:
    http.put("/v1/providers/start", json=provider.settings())
    assert consent(Asking(http, fake_worker, "any", provider="start").link).status_code == 200


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_an_answer_that_names_another_issuer_or_none_is_refused_where_one_is_known(
    http: httpx.Client, fake_worker: FakeWorker, provider: Loopback, decision: str
) -> None:
    issuer = "https://bank.example"
    assert http.put(f"/v1/providers/{NAME}", json=provider.settings(issuer=issuer)).json()["issuer"] == issuer
    asking = Asking(http, fake_worker, f"issuer-{decision}")
    callback, before = decide(set_out(asking.link), decision), provider.calls()
    for wrong in ("", "&iss=", f"&iss={issuer}/", "&iss=https://rogue.example"):
        page = refused(f"{callback}{wrong}", "provider_failed", 502)
        assert "does not name loopback as its issuer (iss)" in page.text
    assert (asking.status, asking.outcomes(), provider.calls()) == ("AUTH_REQUIRED", [], before)
    come_back(f"{callback}&iss={issuer}")
    assert asking.status == ("RUNNING" if decision == "allow" else "FAILED")


def test_an_issuer_is_not_asked_about_where_none_is_known(http: httpx.Client, fake_worker: FakeWorker) -> None:
    asking = Asking(http, fake_worker, "no-issuer")
    assert come_back(f"{decide(set_out(asking.link))}&iss=https://any.example").status_code == 200
    assert asking.status == "RUNNING"
