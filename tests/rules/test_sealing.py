"""Sealed text can be read with its own key, in its own place, and nowhere else; the error names the cause."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taxiway import envelope
from taxiway.envelope import EnvelopeBroken

from models.authorization.encryption import grant_place, provider_place, seal, unseal
from models.authorization.grants import Given, Holder
from models.authorization.oauth_client import Tokens, error_name, opened
from models.errors import SealBroken

KEY, OTHER = "k" * 32, "j" * 32
PLACE = grant_place("acme", "ann", "bank")


@given(st.text())
def test_a_sealed_text_comes_back_and_shows_nothing(text: str) -> None:
    sealed = seal(KEY, text, PLACE)
    assert unseal(KEY, sealed, PLACE) == text
    assert sealed != seal(KEY, text, PLACE), "equal texts cannot be told by their seals"


def test_another_key_is_named_as_the_reason() -> None:
    with pytest.raises(SealBroken, match="another TAXIWAY_SECRET_KEY"):
        unseal(OTHER, seal(KEY, "token", PLACE), PLACE)


@pytest.mark.parametrize(
    "place",
    [
        grant_place("acme", "bob", "bank"), grant_place("other", "ann", "bank"), grant_place("acm", "eann", "bank"),
        provider_place("bank"),
    ],
)  # fmt: skip
def test_what_was_moved_to_another_row_is_not_read(place: tuple[str, ...]) -> None:
    with pytest.raises(SealBroken, match="moved from another row"):
        unseal(KEY, seal(KEY, "token", PLACE), place)


@pytest.mark.parametrize("broken", ["", "v1", "nonsense", "v1.x", "v0.a.b"])
def test_what_is_no_seal_is_broken(broken: str) -> None:
    with pytest.raises(SealBroken):
        unseal(KEY, broken, PLACE)


def test_a_seal_that_was_changed_is_broken() -> None:
    form, key, body = seal(KEY, "token", PLACE).split(".")
    bent = bytearray(base64.urlsafe_b64decode(body))
    for place in (0, 12, len(bent) - 1):
        changed = bytearray(bent)
        changed[place] ^= 1
        with pytest.raises(SealBroken, match="damaged"):
            unseal(KEY, f"{form}.{key}.{base64.urlsafe_b64encode(changed).decode()}", PLACE)


def test_tokens_are_sealed_for_their_holder_and_shown_by_no_repr() -> None:
    holder, tokens = Holder("acme", "ann", "bank"), Tokens("the access", "the refresh", None, 60)
    given_ = tokens.sealed(KEY, holder, ("read",))
    assert isinstance(given_, Given)
    assert (given_.scopes, given_.refreshable, given_.expires_in) == (("read",), True, 60)
    back = opened(KEY, holder, given_.sealed)
    assert (back.access, back.refresh) == ("the access", "the refresh")
    assert "the " not in repr(tokens) + repr(given_)
    with pytest.raises(SealBroken):
        opened(KEY, Holder("acme", "bob", "bank"), given_.sealed)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("invalid_grant", "invalid_grant"), ("a b", "unknown_error"), ("<script>", "unknown_error"), (None, "unknown_error"),
        (7, "unknown_error"),
    ],
)  # fmt: skip
def test_only_what_looks_like_the_name_of_an_error_is_repeated(said: object, named: str) -> None:
    assert error_name(said) == named


# ---------------------------------------------------------------------------------------------- frames
@given(st.text(), st.binary(min_size=32, max_size=32))
def test_a_token_on_its_way_to_a_host_comes_back(text: str, key: bytes) -> None:
    assert envelope.unseal(key, envelope.seal(key, text, "run.1/1"), "run.1/1") == text


def test_a_token_is_opened_with_its_hosts_key_for_its_own_question_alone() -> None:
    key, sealed = b"k" * 32, envelope.seal(b"k" * 32, "token", "run.1/1")
    for wrong_key, place in ((b"j" * 32, "run.1/1"), (key, "run.1/2"), (key, "run.2/1"), (b"", "run.1/1")):
        with pytest.raises(EnvelopeBroken):
            envelope.unseal(wrong_key, sealed, place)


def test_an_envelope_that_was_changed_is_broken() -> None:
    key = b"k" * 32
    data = bytearray(base64.b64decode(envelope.seal(key, "token", "x")))
    for place in range(0, len(data), 7):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(EnvelopeBroken):
            envelope.unseal(key, base64.b64encode(changed).decode(), "x")
    for nonsense in ("", "no base64!", base64.b64encode(b"short").decode()):
        with pytest.raises(EnvelopeBroken):
            envelope.unseal(key, nonsense, "x")


def test_a_long_text_is_hidden_to_its_end() -> None:
    """Each block of the keystream differs; otherwise the difference of two blocks would show."""
    key, text = b"k" * 32, "\0" * 200
    body = base64.b64decode(envelope.seal(key, text, "x"))[16:-32]
    blocks = [body[start : start + 32] for start in range(0, 192, 32)]
    assert len(set(blocks)) == len(blocks)
