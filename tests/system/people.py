"""Questions to people in the tests, and the tokens that only the API could make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from api.links.tokens import Purpose, token
from models.moves import NewWait
from models.waiting.questions import question
from tests.postgres.proxied import settings_of
from tests.system.fake_worker import FakeWorker

SECRET = "a secret that only the API knows"
PUBLIC_URL = "https://taxiway.example.com"
SETTINGS = {"TAXIWAY_SECRET_KEY": SECRET, "TAXIWAY_PUBLIC_URL": PUBLIC_URL}
ASKED = {"prompt": "Refund A7?", "details": {"amount": 12.5}, "onDeny": "cancel"}
HOUR = 3_600_000
JSON = {"accept": "application/json"}


@contextmanager
def with_secret(secret: str = SECRET) -> Iterator[None]:
    """Make tokens in this process as one with this secret key would."""
    with pytest.MonkeyPatch.context() as patch, settings_of(patch, SECRET_KEY=secret):
        yield


def asks(key: str = "approval#1", due_ms: int | None = HOUR, on_due: str | None = "denied", **more: Any) -> NewWait:
    """Return a question that is approved or denied."""
    return question(key, {**ASKED, **more}, due_ms, on_due)


def wants(schema: Any) -> NewWait:
    """Return a question that is answered."""
    return question("ask#1", {"prompt": "Where to?", "answer": schema}, HOUR, "timeout")


def token_of(wait: NewWait, purpose: Purpose = Purpose.APPROVAL) -> str:
    assert wait.nonce
    return token(purpose, wait.id, wait.nonce)


def decide(client: httpx.Client, wait: NewWait, decision: str = "approve", **more: Any) -> httpx.Response:
    return client.post("/v1/runs/approval", json={"token": token_of(wait), "decision": decision, **more})


def refused(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def run_state(fake_worker: FakeWorker, run: str) -> tuple[str, str | None]:
    """Read the status of a run and its reason."""
    row = fake_worker.connection.execute("SELECT status, reason FROM run WHERE id = %s", [run]).fetchone()
    assert row
    return row["status"], row["reason"]


def kept(fake_worker: FakeWorker, wait: NewWait) -> dict[str, Any]:
    """Read the decision of a wait."""
    sql = "SELECT outcome, answer::text AS answer, decided_by, comment FROM wait WHERE id = %s"
    row = fake_worker.connection.execute(sql, [wait.id]).fetchone()
    assert row
    return dict(row)
