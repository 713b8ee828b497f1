"""An agent's requests for authorization, their results, and what a run past them keeps."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
import taxiway
from taxiway import AsyncRun, Grant, Run, agent
from taxiway.annotation_shapes import shape_of
from taxiway.authorizations import authorization
from taxiway.decode import decode
from taxiway.encode import json_text
from taxiway.identity import arguments_digest
from taxiway.testing import Unanswered, deny, expire, grant, play, signal

LOST: list[int] = []


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"provider": "two words"}, ValueError, "a provider's name"),
        ({"provider": 7}, TypeError, "named by a text"),
        ({"scopes": "read"}, TypeError, "a list of texts"),
        ({"scopes": ["two words"]}, ValueError, "one word"),
        ({"scopes": [""]}, ValueError, "one word"),
        ({"scopes": [f"s{n}" for n in range(101)]}, ValueError, "100 scopes at most"),
        ({"subject": None}, ValueError, "has no userId"),
        ({"subject": "  "}, ValueError, "1 to 500"),
        ({"subject": "x" * 501}, ValueError, "1 to 500"),
        ({"subject": "a\0"}, ValueError, "1 to 500"),
        ({"url": "ftp://bank"}, ValueError, "http or https"),
        ({"url": "javascript:alert(1)"}, ValueError, "http or https"),
        ({"on_deny": "shrug"}, ValueError, "on_deny is one of"),
    ],
)
def test_what_cannot_be_asked_for_says_why(given: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        authorization(**{"provider": "bank", "subject": "ann", **given})


def test_an_authorization_is_known_by_what_is_asked_for_whatever_the_order_of_its_scopes() -> None:
    one = authorization("bank", scopes=["b", "a", "a"], subject="ann")
    assert one.name == authorization("bank", scopes=("a", "b"), subject="ann", on_deny="cancel", timeout="2h").name
    for other in ({"scopes": ["a"]}, {"subject": "bob"}, {"provider": "bonk"}, {"url": "https://bank.example"}):
        assert authorization(**{"provider": "bank", "scopes": ["a", "b"], "subject": "ann", **other}).name != one.name  # type: ignore[arg-type]
    assert (one.due_ms, one.grant) == (24 * 3_600_000, Grant("bank", "ann", ("a", "b")))


def test_a_grant_is_a_value_that_survives_being_recorded() -> None:
    grant = Grant("bank", "ann", ("a", "b"))
    text = json_text({"g": grant})
    assert json.loads(text) == {"g": {"provider": "bank", "subject": "ann", "scopes": ["a", "b"]}}
    back = decode(shape_of(dict[str, Grant]), json.loads(text))["g"]
    assert (back, hash(back), pickle.loads(pickle.dumps(grant))) == (grant, hash(grant), grant)
    assert arguments_digest((back,), {}) == arguments_digest((grant,), {})


def test_a_token_is_told_to_steps_alone() -> None:
    with pytest.raises(RuntimeError, match="inside a step only"):
        Grant("bank", "ann").token()


def lose_once(grant: Grant) -> str:
    token = grant.token()
    if not LOST:
        LOST.append(1)
        raise taxiway.AuthorizationLost(grant)
    return token


@agent
def careful(run: Run, on_deny: str = "fail") -> list[Any]:
    grant = run.authorize("bank", scopes=["pay"], on_deny=on_deny)
    if grant is None:
        return ["nobody"]
    said = run.step(lose_once, grant)
    run.wait_for("go")
    return [said, run.authorize("bank", scopes=["pay"]) == grant]


@agent
async def soon(run: AsyncRun) -> list[str]:
    grant = await run.authorize("bank", subject="bob")

    async def ask(grant: Grant) -> str:
        return await grant.atoken()

    async def block(grant: Grant) -> str:
        return grant.token()

    try:
        await run.step(block, grant)
    except taxiway.StepFailed as failed:
        return [await run.step(ask, grant), failed.message]
    return []


def test_a_lost_grant_is_asked_for_anew_and_its_step_repeated_at_no_cost() -> None:
    LOST.clear()
    outcome = play(careful, user_id="ann", given=[grant("bank"), grant("bank", subject="ann"), signal("go")])
    assert outcome.result == ["token of ann at bank", True]
    assert [(step.name, step.status, step.attempts) for step in outcome.steps] == [("lose_once", "succeeded", 1)]
    assert outcome.activations == 4, "two authorizations and a signal"


def test_nobody_who_authorizes_anew_in_time_fails_the_run() -> None:
    LOST.clear()
    outcome = play(careful, user_id="ann", given=[grant("bank"), expire("bank")])
    assert (outcome.status, outcome.reason) == ("FAILED", "timeout")


@pytest.mark.parametrize(
    ("on_deny", "ends"),
    [
        ("fail", ("FAILED", "authorization_failed")), ("cancel", ("CANCELED", "denied")),
        ("return", ("SUCCESS", None)), ("raise", ("FAILED", "authorization_failed")),
    ],
)  # fmt: skip
def test_a_refusal_ends_as_it_was_asked_to(on_deny: str, ends: tuple[str, str | None]) -> None:
    outcome = play(careful, on_deny=on_deny, user_id="ann", given=[deny("bank")])
    assert (outcome.status, outcome.reason) == ends


def test_an_async_step_awaits_its_token_and_is_told_when_it_does_not() -> None:
    outcome = play(soon, given=[grant("bank", subject="bob")])
    assert outcome.result[0] == "token of bob at bank"
    assert "await grant.atoken()" in outcome.result[1]


def test_a_test_that_gives_no_authorization_is_told_what_to_give() -> None:
    with pytest.raises(Unanswered, match=r"give grant\('bank'\) or deny\('bank'\)"):
        play(careful, user_id="ann")


def test_errors_of_authorizations_can_be_pickled() -> None:
    for error in (
        taxiway.AuthorizationDenied("bank", "denied", "no"),
        taxiway.AuthorizationUnavailable("bank", "away"),
    ):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
