"""The approval page on the wire: its viewers, its headers, and the effect of a submitted form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from api.page.rendering import POLICY
from models.moves import NewWait
from models.waiting.questions import question
from ops.ports import free_port
from tests.system.api_server import ApiServer
from tests.system.fake_worker import FakeWorker
from tests.system.people import HOUR, SETTINGS, token_of

PLACE = "/v1/runs/approval"
FORM = {"content-type": "application/x-www-form-urlencoded"}
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
ADDRESS = {
    "type": "object",
    "properties": {"street": {"type": "string"}, "number": {"type": "integer", "minimum": 1}},
    "required": ["street"],
    "additionalProperties": False,
}
pytestmark = pytest.mark.usefixtures("same_secret")


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


@pytest.fixture
def anybody(api: ApiServer) -> Iterator[httpx.Client]:
    """Return a client without a key, like a browser."""
    with httpx.Client(base_url=api.url, headers=BROWSER, timeout=30, trust_env=False) as client:
        yield client


def asked(fake_worker: FakeWorker, run: str, on_due: str = "denied", **request: Any) -> tuple[NewWait, str]:
    """Ask a question of the run; return the wait and the token of its link."""
    wait = question("q", {"prompt": "Refund A7?", "onDeny": "cancel", **request}, HOUR, on_due)
    fake_worker.ask(run, wait)
    return wait, token_of(wait)


def submit(client: httpx.Client, **fields: str) -> httpx.Response:
    return client.post(PLACE, data=fields)


def outcome(fake_worker: FakeWorker, wait: NewWait) -> tuple[Any, ...]:
    sql = "SELECT outcome, answer::text AS answer, comment FROM wait WHERE id = %s"
    row = fake_worker.connection.execute(sql, [wait.id]).fetchone()
    assert row
    return row["outcome"], row["answer"], row["comment"]


@pytest.mark.parametrize("accept", [BROWSER["accept"], "*/*", "", "text/*", "application/json;q=0"])
def test_whoever_does_not_ask_for_json_is_shown_a_page_that_runs_nothing_and_that_nobody_keeps(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str, accept: str
) -> None:
    wait, secret = asked(fake_worker, run, details={"amount": 12.5})
    page = anybody.get(PLACE, params={"token": secret, "decision": "approve"}, headers={"accept": accept})
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    headers = {name: page.headers[name] for name in (
        "content-security-policy", "cache-control", "referrer-policy", "x-content-type-options", "x-frame-options",
    )}  # fmt: skip
    assert headers == {
        "content-security-policy": POLICY, "cache-control": "no-store", "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff", "x-frame-options": "DENY",
    }  # fmt: skip
    for part in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert part in POLICY
    assert "unsafe" not in POLICY
    assert re.findall(r"<script|<link|<img|<iframe|javascript:|\son\w+=|\sstyle=", page.text) == []
    # The form contains the token, and nothing else does.
    assert page.text.count(secret) == page.text.count(f'name="token" value="{secret}"') == 1
    assert outcome(fake_worker, wait) == (None, None, None)


def test_who_asks_for_json_is_shown_no_page(anybody: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    _, secret = asked(fake_worker, run)
    answer = anybody.get(PLACE, params={"token": secret}, headers={"accept": "application/json"})
    assert answer.json()["prompt"]
    assert answer.headers["x-content-type-options"] == "nosniff", "what an agent wrote is in it"


def test_a_submitted_form_decides_and_leads_to_a_page_that_can_be_reloaded(
    anybody: httpx.Client, acme: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    wait, secret = asked(fake_worker, run, onDeny="return")
    answer = submit(anybody, token=secret, decision="deny", comment=" Too dear.\r\nSorry ")
    assert (answer.status_code, answer.headers["location"]) == (303, f"approval?token={secret}")
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert outcome(fake_worker, wait) == ("denied", None, "Too dear.\nSorry")
    [decided] = [
        event for event in acme.get(f"/v1/runs/{run}/events").json()["events"] if event["event"] == "run_action"
    ]
    assert (decided["decision"], decided["by"], decided["digest"]) == ("deny", "link", wait.digest)
    for _ in range(2):
        page = anybody.get(str(answer.url.join(answer.headers["location"])))
        assert page.status_code == 200
        assert "<title>Denied: Refund A7? · Taxiway</title>" in page.text
        assert "a person with the link" in page.text
        assert secret not in page.text


def test_pressing_twice_shows_the_own_decision_and_coming_too_late_shows_the_other(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    wait, secret = asked(fake_worker, run, choices=["air", "sea"])
    assert submit(anybody, token=secret, choice="sea").status_code == 303
    assert submit(anybody, token=secret, choice="sea").status_code == 303
    for late in ({"choice": "air"}, {"decision": "deny"}, {}):
        page = submit(anybody, token=secret, **late)
        assert page.status_code == 410
        assert "Too late: your decision was not recorded." in page.text
        assert "Approved: sea" in page.text
    assert outcome(fake_worker, wait) == ("approved", '{"choice": "sea"}', None)


def test_a_form_that_does_not_fit_decides_nothing_and_keeps_what_was_typed(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    wait, secret = asked(fake_worker, run, answer=ADDRESS, on_due="timeout")
    typed = {"answer.street": 'Elm "<b>&', "comment": "by hand"}
    for number, said in (
        ("seven", "Enter a whole number, such as 12; “seven” is not one."),
        ("0", "Must be at least 1."),
    ):
        page = submit(anybody, token=secret, **typed, **{"answer.number": number})
        assert page.status_code == 422
        assert page.text.count(said) == 2, "above, and beside the field"
        assert "<title>Error: Refund A7? · Taxiway</title>" in page.text
        assert 'value="Elm &#34;&lt;b&gt;&amp;"' in page.text
        assert f'value="{number}"' in page.text
        assert "by hand</textarea>" in page.text
    assert outcome(fake_worker, wait) == (None, None, None)
    assert submit(anybody, token=secret, **typed, **{"answer.number": "7"}).status_code == 303
    assert outcome(fake_worker, wait)[1] == '{"answer": {"street": "Elm \\"<b>&", "number": 7}}'


@pytest.mark.parametrize(
    "fields",
    [{}, {"decision": "maybe"}, {"decision": "answer"}, {"decision": "approve"}, {"choice": "land"},
     {"choice": "air", "comment": "x" * 2001}, {"choice": "air", "comment": "\0"}],
)  # fmt: skip
def test_no_decision_about_this_question_decides_nothing(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str, fields: dict[str, str]
) -> None:
    wait, secret = asked(fake_worker, run, choices=["air", "sea"])
    page = submit(anybody, token=secret, **fields)
    assert page.status_code == 422
    assert "Not decided yet" in page.text
    assert outcome(fake_worker, wait) == (None, None, None)


def test_what_is_no_form_is_refused_on_a_page(anybody: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    wait, secret = asked(fake_worker, run)
    good = urlencode({"token": secret, "decision": "approve"})
    cases = [
        (404, "This link is not known", b""),
        (404, "This link is not known", f"token={secret[:-1]}&decision=approve".encode()),
        (400, "could not be understood", f"{good}&comment=%ff".encode()),
        (400, "could not be understood", f"{good}&comment=".encode() + b"\xff"),
        (400, "could not be understood", good.encode() + b"&a=1" * 1000),
        (413, "Your answer is too long", f"{good}&comment={'x' * 300_000}".encode()),
    ]
    for status, said, body in cases:
        page = anybody.post(PLACE, content=body, headers=FORM)
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8"), body[:80]
        assert said in page.text
        assert page.headers["content-security-policy"] == POLICY
    other = anybody.post(PLACE, content=good, headers={"content-type": "text/plain"})
    assert (other.status_code, other.json()["code"]) == (415, "unsupported_media_type")
    assert outcome(fake_worker, wait) == (None, None, None)


def test_an_address_that_says_no_token_is_answered_by_a_page(anybody: httpx.Client) -> None:
    for address in (PLACE, f"{PLACE}?token=", f"{PLACE}?token={quote('☃')}"):
        page = anybody.get(address)
        assert page.status_code in (400, 404)
        assert page.headers["content-type"] == "text/html; charset=utf-8"


def test_while_the_database_is_away_a_person_is_told_so_on_a_page(
    servers: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = tmp_path_factory.mktemp("away") / "api.log"
    nowhere = f"postgresql://postgres@127.0.0.1:{free_port()}/x"
    server = ApiServer(nowhere, servers.broker(0), log).start()
    secret = f"{'A' * 22}.{'A' * 43}"
    try:
        with server.client(None) as client:
            for page in (client.get(PLACE, params={"token": secret}), submit(client, token=secret, decision="approve")):
                assert (page.status_code, page.headers["retry-after"]) == (503, "2")
                assert "cannot be shown at the moment" in page.text
                assert secret not in page.text
            asked_for_json = client.get(PLACE, params={"token": secret}, headers={"accept": "application/json"})
            assert asked_for_json.json()["code"] == "unavailable"
    finally:
        server.stop()
    assert secret not in log.read_text()
