"""Requests that the document allows are taken, those that it forbids are refused, and every answer is documented."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import cloned_database, empty_broker
from tests.system.api_server import ALL_SCOPES, ApiServer
from tests.system.generated import Found, send, settings_of
from tests.system.lived_in import LivedIn, lived_in

SCOPES = {"full": " ".join(ALL_SCOPES), "weak": "read"}
LONG = os.environ.get("SCHEMA_SECONDS")
SECONDS = int(LONG or 120)
MOST = {"full": None, "weak": None} if LONG else {"full": 2600, "weak": 700}
"""Requests that are enough: a slow machine sends so many in two minutes, a fast one in less."""
pytestmark = pytest.mark.timeout(2 * SECONDS + 120)
Installation = tuple[ApiServer, LivedIn, dict[str, str]]


@pytest.fixture(scope="module")
def installation(
    servers: Any, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("lived_in")
    with (
        cloned_database(servers, template_database) as database_url,
        empty_broker(servers, 48) as redis_url,
        lived_in(database_url, redis_url, folder) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def document(installation: Installation) -> dict[str, Any]:
    made: dict[str, Any] = httpx.get(f"{installation[0].url}/openapi.json", timeout=30, trust_env=False).json()
    return made


def sent(installation: Installation, document: dict[str, Any], key: str, seconds: int) -> Found:
    api, there, keys = installation
    digest = hashlib.sha256(json.dumps(document).encode()).digest()
    seed = secrets.randbits(32) if LONG else int.from_bytes(digest[:4])
    found = send(settings_of(api.url, keys[key], SCOPES[key], seconds, seed), document, there.change, MOST[key])
    print(f"{key}: {sum(found.answers.values())} requests with seed {seed}")  # noqa: T201  what a failure shows
    print(found.table())  # noqa: T201
    return found


def test_a_key_that_may_do_everything_meets_only_what_the_document_says(
    installation: Installation, document: dict[str, Any]
) -> None:
    found = sent(installation, document, "full", SECONDS * 4 // 5)
    assert not found.failures, found.told()
    assert not found.unmet(document)


def test_a_key_that_may_only_read_is_refused_where_the_document_says_so(
    installation: Installation, document: dict[str, Any]
) -> None:
    found = sent(installation, document, "weak", SECONDS // 5)
    assert not found.failures, found.told()
