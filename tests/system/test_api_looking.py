"""Programs that check links (HEAD, OPTIONS) get the headers of a GET and change nothing; a wrong filter is named."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.system.fake_worker import FakeWorker
from tests.system.people import SETTINGS, asks, token_of
from tests.system.test_api_decisions import BROWSER, JSON, kept, run_state

pytestmark = pytest.mark.usefixtures("same_secret")


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


SAME = ("content-type", "cache-control", "referrer-policy", "content-security-policy", "x-frame-options")


@pytest.mark.parametrize("headers", [JSON, {"accept": BROWSER}])
def test_head_on_an_approval_s_link_answers_as_get_does_and_never_decides(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str, headers: dict[str, str]
) -> None:
    wait = asks()
    fake_worker.ask(run, wait)
    where: dict[str, Any] = {"token": token_of(wait)}
    shown = anybody.get("/v1/runs/approval", params=where, headers=headers)
    looked = anybody.head("/v1/runs/approval", params={**where, "decision": "approve"}, headers=headers)

    assert (looked.status_code, looked.content) == (shown.status_code, b"") == (200, b"")
    assert [looked.headers.get(name) for name in SAME] == [shown.headers.get(name) for name in SAME]
    assert kept(fake_worker, wait)["outcome"] is None
    assert run_state(fake_worker, run) == ("PAUSED", "waiting")


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/v1/runs/approval", "GET, HEAD, OPTIONS, POST"), ("/v1/auth/x/start", "GET, HEAD, OPTIONS"),
    ("/v1/auth/callback", "GET, HEAD, OPTIONS")],
)  # fmt: skip
def test_options_on_a_link_names_its_methods(anybody: httpx.Client, path: str, methods: str) -> None:
    answer = anybody.options(path, params={"token": "x", "decision": "approve"})
    assert (answer.status_code, answer.headers["allow"]) == (204, methods)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "given"), [("/v1/auth/0/start", {"token": "x"}), ("/v1/auth/callback", {"state": "x", "code": "y"}),
    ("/v1/runs/approval", {"token": "x"}), ("/v1/auth/callback", {})],
)  # fmt: skip
def test_head_on_a_link_that_is_unknown_answers_as_get_does(
    anybody: httpx.Client, path: str, given: dict[str, str]
) -> None:
    shown, looked = anybody.get(path, params=given), anybody.head(path, params=given)
    assert (looked.status_code, looked.content) == (shown.status_code, b"")
    assert [looked.headers.get(name) for name in SAME] == [shown.headers.get(name) for name in SAME]


def test_a_wrong_status_is_named_with_what_it_may_be(acme: httpx.Client) -> None:
    for query in ("status=NOPE", "status=QUEUED&status=NOPE"):
        answer = acme.get(f"/v1/runs?{query}")
        said = answer.json()
        assert (answer.status_code, said["code"], said["errors"][0]["field"]) == (400, "invalid_request", "status")
        assert "'QUEUED'" in said["detail"]
        assert "'CANCELED'" in said["detail"]
