"""Refusals of links: a page for a browser, a problem document for a program, and the document describes both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.build import build
from api.http.problems import CODES
from ops.ports import free_port
from tests.system.api_server import ApiServer
from tests.system.fake_worker import FakeWorker
from tests.system.people import SETTINGS, asks, decide, token_of

UNKNOWN = f"{'A' * 22}.{'A' * 43}"
APPROVAL, START, CALLBACK = "/v1/runs/approval", "/v1/auth/{waitId}/start", "/v1/auth/callback"
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PROGRAM = {"accept": "application/json"}
FORM, JSON = "application/x-www-form-urlencoded", "application/json"

pytestmark = pytest.mark.usefixtures("same_secret")


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


@pytest.fixture(scope="module")
def away(servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Return an API whose database is missing."""
    log = tmp_path_factory.mktemp("away") / "api.log"
    server = ApiServer(f"postgresql://postgres@127.0.0.1:{free_port()}/x", servers.broker(0), log, SETTINGS).start()
    yield server
    server.stop()


def said(status: int, method: str, path: str) -> set[str]:
    """Read the types of content that the document lists for this status of a call."""
    document = build().openapi()
    response = document["paths"][path][method.lower()]["responses"][str(status)]
    shared = document["components"]["responses"]
    return set((shared[response["$ref"].rpartition("/")[2]] if "$ref" in response else response).get("content", {}))


def refuses(client: httpx.Client, status: int, code: str, method: str, path: str, **call: Any) -> None:
    """Request as a browser and as a program; each is refused in its form, and the document describes it."""
    address = path.replace("{waitId}", "0198a000-0000-7000-8000-000000000000")
    headers = call.pop("headers", {})
    page = client.request(method, address, headers=BROWSER | headers, **call)
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8"), page.text[:200]
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    if method == "GET":
        problem = client.request(method, address, headers=PROGRAM | headers, **call)
        assert (problem.status_code, problem.headers["content-type"]) == (status, "application/problem+json")
        assert problem.json()["code"] == code
    assert CODES[code][0] == status
    assert said(status, method, path) == {"text/html", "application/problem+json"}


@pytest.mark.parametrize("path", [APPROVAL, START, CALLBACK])
def test_a_link_that_is_cut_off_or_not_known_is_refused_in_the_callers_form(api: ApiServer, path: str) -> None:
    name = "state" if path == CALLBACK else "token"
    with api.client(None) as client:
        refuses(client, 400, "invalid_request", "GET", path)
        refuses(client, 404, "token_unknown", "GET", path, params={name: UNKNOWN})
        looked = client.head(path.replace("{waitId}", "x"), headers=BROWSER)
        assert (looked.status_code, looked.headers["content-type"]) == (400, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", [APPROVAL, START])
def test_while_the_database_is_away_each_caller_is_told_so_in_its_form(away: ApiServer, path: str) -> None:
    with away.client(None) as client:
        wait = {"waitId": "x"} if path == START else {}
        refuses(client, 503, "unavailable", "GET", path, params={"token": token_of(asks())} | wait)


def test_what_a_form_submits_is_refused_on_a_page_and_what_a_program_sends_in_json(
    api: ApiServer, fake_worker: FakeWorker, run: str, away: ApiServer
) -> None:
    wait = asks()
    fake_worker.ask(run, wait)
    with api.client(None) as client:
        assert decide(client, wait).status_code == 200
        token, form = token_of(wait), {"content-type": FORM}
        for status, code, body, sent in (
            (404, "token_unknown", f"token={UNKNOWN}&decision=approve", {"token": UNKNOWN, "decision": "approve"}),
            (410, "token_used", f"token={token}&decision=deny", {"token": token, "decision": "deny"}),
            (413, "payload_too_large", "x" * 300_000, {"token": "x" * 300_000}),
            (400, "invalid_request", "token=" + "x" * 5, {"token": 5, "decision": "deny"}),
        ):
            refused = client.post(APPROVAL, json=sent, headers=BROWSER)
            assert refused.headers["content-type"] == "application/problem+json", "a program that sends JSON reads JSON"
            assert (refused.status_code, refused.json()["code"]) == (status, code)
            if status != 400:
                refuses(client, status, code, "POST", APPROVAL, content=body, headers=form)
        other = client.post(APPROVAL, content="x", headers={**BROWSER, "content-type": "text/plain"})
        assert (other.status_code, other.headers["content-type"]) == (415, "application/problem+json")
        assert said(415, "POST", APPROVAL) == {"application/problem+json"}
    with away.client(None) as client:
        body = f"token={token}&decision=deny"
        refuses(client, 503, "unavailable", "POST", APPROVAL, content=body, headers={"content-type": FORM})


def test_the_document_lists_a_page_for_every_refusal_of_an_address_that_people_open() -> None:
    for method, path in (("get", APPROVAL), ("post", APPROVAL), ("get", START), ("get", CALLBACK)):
        for status in build().openapi()["paths"][path][method]["responses"]:
            if int(status) >= 400:
                pages = set() if status == "415" else {"text/html"}
                assert said(int(status), method, path) == {"application/problem+json"} | pages, (method, path, status)
    assert said(200, "get", CALLBACK) == {"text/html", "application/json"}
    assert said(409, "post", "/v1/auth/{waitId}/complete") == {"application/problem+json"}, (
        "systems call it, not people"
    )
