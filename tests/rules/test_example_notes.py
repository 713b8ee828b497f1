"""The example that acts for a person, played without a server: its request, and its reaction to a lost grant."""

from __future__ import annotations

import importlib.util
import io
import json
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from taxiway.testing import deny, grant, play

PLACE = Path(__file__).resolve().parents[2] / "sdk" / "examples" / "notes.py"


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location("example_notes", PLACE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Api:
    """Answers requests for notes, refusing the first ones."""

    def __init__(self, *refusals: int) -> None:
        self.refusals, self.tokens = list(refusals), list[str | None]()

    def __call__(self, request: urllib.request.Request, timeout: float) -> io.BytesIO:
        self.tokens.append(request.get_header("Authorization"))
        if self.refusals:
            raise urllib.error.HTTPError(request.full_url, self.refusals.pop(0), "no", Message(), None)
        return io.BytesIO(json.dumps({"notes": ["one", "two"]}).encode())


def test_it_reads_the_notes_of_who_authorized(example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    monkeypatch.setattr(urllib.request, "urlopen", api)
    outcome = play(example.notes, user_id="ann", given=[grant("loopback")])
    assert outcome.result == {"user": "ann", "notes": ["one", "two"], "characters": 6}
    assert api.tokens == ["Bearer token of ann at loopback"]


@pytest.mark.parametrize("status", [401, 403])
def test_what_the_api_refuses_is_asked_for_again(example: Any, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", Api(status))
    outcome = play(example.notes, user_id="ann", given=[grant("loopback"), grant("loopback")])
    assert (outcome.status, outcome.activations) == ("SUCCESS", 3)
    assert [(step.name, step.status, step.attempts) for step in outcome.steps] == [("fetch_notes", "succeeded", 1)]


def test_an_api_that_is_out_of_order_is_tried_again_without_asking(
    example: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Api(503, 503)
    monkeypatch.setattr(urllib.request, "urlopen", refused)
    outcome = play(example.notes, user_id="ann", given=[grant("loopback")])
    assert (outcome.status, len(refused.tokens)) == ("SUCCESS", 3)


def test_a_refusal_ends_it(example: Any) -> None:
    outcome = play(example.notes, user_id="ann", given=[deny("loopback")])
    assert (outcome.status, outcome.reason) == ("FAILED", "authorization_failed")
