"""Runs that act for people: authorized once, woken immediately, and never with a useless token."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.oauth import NAME, Loopback, come_back, consent, decide, loopback, params, set_out
from tests.system.live import AGENTS, Live

NOTES, MAIL = ["notes 1", "notes 2"], ["mail 1", "mail 2"]


@pytest.fixture(scope="module")
def provider() -> Iterator[Loopback]:
    with loopback() as provider:
        yield provider


@pytest.fixture(scope="module")
def live(stack: Any, provider: Loopback) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "authorized.py"), workers=2, slots=4)) as live:
        put = live.http.put(f"/v1/providers/{NAME}", json=provider.settings())
        assert put.status_code == 201, put.text
        yield live


@pytest.fixture(autouse=True)
def as_at_the_start(provider: Loopback) -> Iterator[None]:
    yield
    provider.reset()


def link(live: Live, run: str) -> str:
    """Wait until the run asks, and return the link from its newest question."""
    live.until(lambda: live.run(run)["status"] == "AUTH_REQUIRED", "the run asks", instead=lambda: live.run(run))
    asking = [event for event in live.events(run) if event["event"] == "authentication" and "authUrl" in event]
    return str(asking[-1]["authUrl"])


def end(live: Live, run: str) -> dict[str, Any]:
    """Wait until the run has ended; parked again does not count."""
    live.end_all([run], 30)
    return live.run(run)


def outcomes(live: Live, run: str) -> list[str]:
    return [event["outcome"] for event in live.events(run) if event["event"] == "authentication" and "outcome" in event]


def grants(live: Live, subject: str) -> list[dict[str, Any]]:
    return list(live.http.get("/v1/grants", params={"subject": subject}).json()["grants"])


def test_a_run_waits_for_a_person_and_then_acts_for_them(live: Live, provider: Loopback) -> None:
    run = live.enqueue("reader", {"url": provider.url}, userId="first")
    asked = link(live, run)
    [event] = [event for event in live.events(run) if event["event"] == "authentication"]
    assert (event["provider"], event["scopes"], event["subject"]) == (NAME, ["read:notes"], "first")
    assert live.run(run)["pause"]["kind"] == "authorization"

    page = consent(asked)

    assert (page.status_code, "Authorized" in page.text) == (200, True)
    assert end(live, run)["result"] == NOTES
    assert outcomes(live, run) == ["authorized"]
    assert [event["reason"] for event in live.events(run) if event.get("verb") == "resume"] == ["authorized"]
    [grant] = grants(live, "first")
    assert (grant["scopes"], grant["refreshable"], grant["revokedAt"]) == (["read:notes"], True, None)


def test_a_grant_that_is_there_is_used_without_asking(live: Live, provider: Loopback) -> None:
    first = live.enqueue("reader", {"url": provider.url}, userId="again")
    consent(link(live, first))
    end(live, first)
    second = live.enqueue("reader", {"url": provider.url}, userId="again")
    assert end(live, second)["result"] == NOTES
    assert (live.run(second)["activations"], outcomes(live, second)) == (1, [])


def test_one_consent_resumes_two_hundred_runs_once_each(live: Live, provider: Loopback) -> None:
    runs = live.enqueue_batch_for("crowd", "reader", [{"url": provider.url}] * 200)
    asking = "SELECT count(*) AS n FROM run WHERE user_id = 'crowd' AND status = 'AUTH_REQUIRED'"
    with live.connect() as connection:
        live.until(lambda: connection.execute(asking).fetchone() == {"n": 200}, "all of them wait", 60)
    before = provider.calls()["authorization_code"]

    consent(link(live, runs[17]))

    ended = live.end_all(runs, 60)
    assert {run["status"] for run in ended.values()} == {"SUCCESS"}
    assert {run["activations"] for run in ended.values()} == {2}
    assert provider.calls()["authorization_code"] == before + 1
    with live.connect() as connection:
        resumed = connection.execute(
            "SELECT run_id, count(*) AS n FROM event WHERE verb = 'resume' AND run_id = ANY(%s) GROUP BY run_id",
            [[UUID(run) for run in runs]],
        ).fetchall()
        told = connection.execute("SELECT count(*) AS n FROM outbox").fetchone()
    assert [row["n"] for row in resumed] == [1] * 200
    assert told == {"n": 0}


def test_a_revoked_token_has_the_run_ask_anew_and_repeat_its_step(live: Live, provider: Loopback) -> None:
    run = live.enqueue("reader", {"url": provider.url, "hold": True}, userId="revoked")
    consent(link(live, run))
    live.until(lambda: live.run(run)["pause"] and live.run(run)["pause"]["kind"] == "agent", "it is held")
    provider.conduct(revoke=True)
    live.http.post(f"/v1/runs/{run}/signals/go", json={})

    asked = link(live, run)
    assert grants(live, "revoked")[0]["revokedAt"] is not None
    consent(asked)

    ended = end(live, run)
    assert ended["result"] == NOTES
    [step] = [step for step in ended["stepsFinished"] if step["name"] == "read"]
    assert step["attempts"] == 1, "what was lost counts as no attempt"
    assert outcomes(live, run) == ["authorized", "authorized"]
    assert grants(live, "revoked")[0]["revokedAt"] is None


def test_a_grant_that_was_revoked_here_is_asked_for_anew(live: Live, provider: Loopback) -> None:
    run = live.enqueue("reader", {"url": provider.url, "hold": True}, userId="taken")
    consent(link(live, run))
    live.until(lambda: live.run(run)["pause"] and live.run(run)["pause"]["kind"] == "agent", "it is held")
    before = provider.calls()["revoked"]
    [grant] = grants(live, "taken")
    assert live.http.delete(f"/v1/grants/{grant['id']}").status_code == 204
    assert provider.calls()["revoked"] == before + 2, "the provider was told of both tokens"
    assert live.http.delete(f"/v1/grants/{grant['id']}").status_code == 404
    live.http.post(f"/v1/runs/{run}/signals/go", json={})
    consent(link(live, run))
    assert end(live, run)["result"] == NOTES, "and what was recorded beyond the first authorization is no mismatch"


def test_a_run_that_found_a_grant_and_went_past_is_not_held_up_when_it_is_revoked(
    live: Live, provider: Loopback
) -> None:
    """It never waited there, and recorded a step after it: waiting there now would look like changed code."""
    first = live.enqueue("reader", {"url": provider.url}, userId="past")
    consent(link(live, first))
    end(live, first)
    run = live.enqueue("reader", {"url": provider.url, "hold": True}, userId="past")
    live.until(lambda: (live.run(run)["pause"] or {}).get("kind") == "agent", "it is held")
    assert outcomes(live, run) == []
    assert live.http.delete(f"/v1/grants/{grants(live, 'past')[0]['id']}").status_code == 204
    live.http.post(f"/v1/runs/{run}/signals/go", json={})

    consent(link(live, run))

    assert end(live, run)["result"] == NOTES
    assert outcomes(live, run) == ["authorized"]


def test_a_token_is_renewed_before_it_expires_by_one_alone(live: Live, provider: Loopback) -> None:
    provider.conduct(token_seconds=3)
    first = live.enqueue("reader", {"url": provider.url}, userId="short")
    consent(link(live, first))
    assert end(live, first)["result"] == NOTES
    provider.conduct(token_seconds=3600, delay=0.3)
    before = provider.calls()["refresh_token"]
    time.sleep(3)  # the token's own time; only the provider's clock can end it

    runs = live.enqueue_batch_for("short", "reader", [{"url": provider.url}] * 16)

    assert {run["status"] for run in live.end_all(runs, 60).values()} == {"SUCCESS"}
    assert provider.calls()["refresh_token"] == before + 1
    [grant] = grants(live, "short")
    assert grant["refreshable"], "the refresh token that rotated was stored"


def test_a_refresh_token_that_the_provider_refuses_has_the_run_ask_anew(live: Live, provider: Loopback) -> None:
    provider.conduct(token_seconds=1)
    run = live.enqueue("reader", {"url": provider.url, "hold": True}, userId="stale")
    consent(link(live, run))
    live.until(lambda: live.run(run)["pause"] and live.run(run)["pause"]["kind"] == "agent", "it is held")
    provider.conduct(token_seconds=3600, revoke=True)
    time.sleep(1)  # as above
    live.http.post(f"/v1/runs/{run}/signals/go", json={})
    consent(link(live, run))
    assert end(live, run)["result"] == NOTES


def test_a_provider_that_is_away_when_a_token_expires_fails_the_step_clearly(live: Live, provider: Loopback) -> None:
    provider.conduct(token_seconds=1)
    run = live.enqueue("reader", {"url": provider.url, "hold": True}, userId="away")
    consent(link(live, run))
    live.until(lambda: live.run(run)["pause"] and live.run(run)["pause"]["kind"] == "agent", "it is held")
    provider.conduct(status=503)
    time.sleep(1)  # as above
    live.http.post(f"/v1/runs/{run}/signals/go", json={})
    ended = end(live, run)
    assert (ended["status"], ended["error"]["type"]) == ("FAILED", "AuthorizationUnavailable")
    assert "loopback answered 503" in ended["error"]["message"]
    assert grants(live, "away")[0]["revokedAt"] is None, "an outage takes nothing away"


def test_missing_scopes_are_asked_for_and_what_was_given_before_stays(live: Live, provider: Loopback) -> None:
    notes = live.enqueue("reader", {"url": provider.url}, userId="more")
    consent(link(live, notes))
    end(live, notes)
    mail = live.enqueue("reader", {"url": provider.url, "thing": "mail"}, userId="more")
    asked = set_out(link(live, mail))
    assert params(asked)["scope"].split() == ["read:mail", "read:notes"]
    come_back(decide(asked))
    assert end(live, mail)["result"] == MAIL
    assert grants(live, "more")[0]["scopes"] == ["read:mail", "read:notes"]


def test_a_consent_to_less_wakes_only_those_that_need_no_more(live: Live, provider: Loopback) -> None:
    notes = live.enqueue("reader", {"url": provider.url}, userId="less")
    mail = live.enqueue("reader", {"url": provider.url, "thing": "mail"}, userId="less")
    link(live, notes)
    asked = link(live, mail)
    provider.conduct(withhold=["read:mail"])
    # The run that needs mail sends the person; the provider adds notes, which its operator always requests.
    live.http.put(f"/v1/providers/{NAME}", json=provider.settings(scopes=["read:notes"]))

    page = consent(asked)

    assert "Not all permissions were given" in page.text
    assert "read:mail" in page.text
    assert end(live, notes)["result"] == NOTES
    assert (live.run(mail)["status"], outcomes(live, mail)) == ("AUTH_REQUIRED", [])
    live.http.put(f"/v1/providers/{NAME}", json=provider.settings())
    provider.conduct(withhold=[])
    consent(asked)
    assert end(live, mail)["result"] == MAIL


def test_a_refusal_fails_the_run_or_as_it_was_asked_to(live: Live, provider: Loopback) -> None:
    policies = {"fail": "FAILED", "cancel": "CANCELED", "return": "SUCCESS"}
    runs = {
        policy: live.enqueue("reader", {"url": provider.url, "on_deny": policy}, userId=f"no-{policy}")
        for policy in policies
    }
    raising = live.enqueue("waiting", {"url": provider.url}, userId="no-raise")
    for run in (*runs.values(), raising):
        page = consent(link(live, run), "deny")
        assert "Not authorized" in page.text
    ended = {policy: end(live, run) for policy, run in runs.items()}
    assert {policy: run["status"] for policy, run in ended.items()} == policies
    assert ended["fail"]["error"]["code"] == ended["fail"]["reason"] == "authorization_failed"
    assert (ended["cancel"]["reason"], ended["return"]["result"]) == ("denied", "nobody")
    assert end(live, raising)["result"] == "denied: access_denied"
    assert outcomes(live, raising) == ["denied"]


def test_when_nobody_comes_in_time_the_run_fails(live: Live, provider: Loopback) -> None:
    run = live.enqueue("waiting", {"url": provider.url, "timeout": 0.3}, userId="late")
    asked = link(live, run)
    ended = end(live, run)
    assert (ended["status"], ended["error"]["code"], ended["error"]["type"]) == ("FAILED", "timeout", "WaitTimeout")
    assert httpx.get(asked, headers={"accept": "application/json"}).json()["code"] == "token_expired"


def test_an_async_agent_asks_for_two_things_at_once(live: Live, provider: Loopback) -> None:
    run = live.enqueue("both", {"url": provider.url}, userId="two")
    live.until(lambda: live.run(run)["status"] == "AUTH_REQUIRED", "it asks")
    asked = [event["authUrl"] for event in live.events(run) if event["event"] == "authentication"]
    assert len(asked) == 2
    consent(asked[0])
    live.until(lambda: len(outcomes(live, run)) == 1, "the first was heard")
    consent(link(live, run))
    assert end(live, run)["result"] == [MAIL, NOTES]


def test_a_grant_is_the_same_in_every_step_and_tells_its_token_inside_alone(live: Live, provider: Loopback) -> None:
    run = live.enqueue("counting", {"subject": "somebody"})
    consent(link(live, run))
    result = end(live, run)["result"]
    assert (result["same"], result["kind"]) == (True, "Grant")
    assert result["length"] > 20
    stored = live.http.get(f"/v1/runs/{run}", params={"includeOutputs": True}).json()["stepsFinished"][0]["output"]
    assert stored == {"provider": NAME, "subject": "somebody", "scopes": ["read:notes"]}


def test_another_system_may_carry_the_authorization_out(live: Live, provider: Loopback) -> None:
    run = live.enqueue("outside", {"url": "https://bank.example/ask?lang=en"}, userId="customer")
    told = link(live, run)
    wait, token = params(told)["waitId"], params(told)["token"]
    assert told.startswith("https://bank.example/ask?lang=en&waitId=")
    complete = f"{live.stack.url}/v1/auth/{wait}/complete"
    assert (
        httpx.post(complete, json={"token": "x" + token[1:], "outcome": "authorized"}).json()["code"] == "token_unknown"
    )
    assert httpx.post(complete, json={"token": token, "outcome": "perhaps"}).status_code == 400
    done = httpx.post(complete, json={"token": token, "outcome": "authorized"})
    assert (done.status_code, done.json()["outcome"]) == (200, "authorized")
    assert end(live, run)["result"] == "bank customer"
    assert httpx.post(complete, json={"token": token, "outcome": "denied"}).json()["code"] == "token_used"


def test_what_another_system_could_not_do_fails_the_run_with_its_words(live: Live, provider: Loopback) -> None:
    run = live.enqueue("outside", {"url": "https://bank.example/ask"}, userId="customer")
    told = params(link(live, run))
    body = {"token": told["token"], "outcome": "failed", "error": "the bank is closed"}
    assert httpx.post(f"{live.stack.url}/v1/auth/{told['waitId']}/complete", json=body).status_code == 200
    assert "the bank is closed" in end(live, run)["error"]["message"]


def test_a_provider_that_nobody_introduced_leaves_the_run_waiting_and_its_link_says_why(live: Live) -> None:
    run = live.enqueue("nowhere", userId="lost")
    asked = link(live, run)
    page = httpx.get(asked, headers={"accept": "text/html"})
    assert (page.status_code, "taxiway providers put nowhere" in page.text) == (422, True)
    assert live.run(run)["status"] == "AUTH_REQUIRED"
    live.cancel(run)
