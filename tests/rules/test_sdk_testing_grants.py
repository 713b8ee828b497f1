"""Authorizations of a played run, and the tokens of its steps."""

from __future__ import annotations

from typing import Any

import pytest
import taxiway
from taxiway import Run, agent
from taxiway.authorizations import Grant
from taxiway.testing import Unanswered, Unused, expire, grant, play


def pay(by: Grant) -> str:
    token = by.token()
    if token.startswith("stale"):
        raise taxiway.AuthorizationLost(by)
    return token


@agent
def payer(run: Run, timeout: str = "1d") -> Any:
    by = run.authorize("stripe", scopes=["pay"], timeout=timeout)
    return run.step(pay, by)


@agent
def delegating(run: Run) -> Any:
    return [run.spawn(payer).result(), run.spawn(payer, key="again").result()]


def test_steps_get_the_token_that_was_given_or_one_that_says_what_it_stands_for() -> None:
    outcome = play(payer, user_id="ann", given=[grant("str*", token="t1")])
    assert (outcome.result, outcome.activations, outcome.prompts) == ("t1", 2, ["stripe"])
    assert outcome.asked[0].details == {"subject": "ann", "scopes": ["pay"], "url": None}
    assert play(payer, user_id="ann", given=[grant()]).result == "token of ann at stripe"


def test_a_grant_that_was_held_before_is_used_without_asking() -> None:
    outcome = play(payer, user_id="ann", given=[grant("stripe", token="t0", held=True)])
    assert (outcome.result, outcome.activations, outcome.asked) == ("t0", 1, [])
    with pytest.raises(Unanswered, match=r"give grant\('stripe'\) or deny\('stripe'\)"):
        play(payer, user_id="ann", given=[grant("stripe", subject="bea", held=True)])


def test_a_step_that_loses_its_grant_asks_for_the_next_one() -> None:
    given = [grant(token="stale", held=True), grant(token="stale again"), grant(token="fresh")]
    outcome = play(payer, user_id="ann", given=given)
    assert (outcome.result, len(outcome.asked), outcome.steps[0].attempts) == ("fresh", 2, 1)


def test_a_grant_is_shared_by_a_family() -> None:
    outcome = play(delegating, user_id="ann", given=[grant("stripe", token="t1")])
    assert outcome.result == ["t1", "t1"]
    with pytest.raises(Unused, match="took grant"):
        play(delegating, user_id="ann", given=[grant("stripe"), grant("stripe")])


def test_nobody_authorizes() -> None:
    with pytest.raises(Unanswered, match=r"nobody answered 'stripe'; give grant\('stripe'\)"):
        play(payer, user_id="ann")
    assert play(payer, user_id="ann", given=[expire("stripe")]).slept == 86400
    assert play(payer, user_id="ann", timeout="1h").slept == 3600
