"""A token names one wait, is valid for one purpose, and cannot be made without the secret key."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from api.links.tokens import Purpose, is_genuine, token, wait_named_by
from models.ids import new_id
from tests.postgres.proxied import settings_of

NONCE = "a" * 32


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with settings_of(monkeypatch, SECRET_KEY="one secret of many letters"):
        yield


def test_a_token_says_which_wait_it_is_for_and_is_the_same_each_time() -> None:
    wait = new_id()
    made = token(Purpose.APPROVAL, wait, NONCE)
    assert made == token(Purpose.APPROVAL, wait, NONCE)
    assert (wait_named_by(made), is_genuine(made, Purpose.APPROVAL, wait, NONCE)) == (wait, True)
    assert NONCE not in made


def test_a_token_is_worth_nothing_for_another_wait_purpose_or_nonce() -> None:
    wait = new_id()
    made = token(Purpose.APPROVAL, wait, NONCE)
    assert not is_genuine(made, Purpose.AUTHORIZATION, wait, NONCE)
    assert not is_genuine(made, Purpose.APPROVAL, new_id(), NONCE)
    assert not is_genuine(made, Purpose.APPROVAL, wait, "b" * 32)
    assert not is_genuine(made, Purpose.APPROVAL, wait, None)


def test_a_token_of_another_secret_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = new_id()
    made = token(Purpose.APPROVAL, wait, NONCE)
    with settings_of(monkeypatch, SECRET_KEY="another secret, as long"):
        assert not is_genuine(made, Purpose.APPROVAL, wait, NONCE)


def test_a_token_with_any_character_changed_is_refused() -> None:
    wait = new_id()
    made = token(Purpose.APPROVAL, wait, NONCE)
    for place in range(len(made)):
        other = made[:place] + ("A" if made[place] != "A" else "B") + made[place + 1 :]
        assert not is_genuine(other, Purpose.APPROVAL, wait, NONCE), place
    for other in (made + "=", made[:-1], made.upper(), f" {made}", made + "\N{SNOWMAN}", made + "\ud800"):
        assert not is_genuine(other, Purpose.APPROVAL, wait, NONCE), other


@pytest.mark.parametrize(
    "text", ["", ".", "a.b", "é" * 22, "=" * 22, "A" * 200, "\ud800", str(UUID(int=0)), "AAAA.AAAA"]
)
def test_what_is_no_token_names_nothing(text: str) -> None:
    assert wait_named_by(text) is None
