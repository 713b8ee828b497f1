"""A name is one segment of a path, whatever its characters; every route with a name reaches everything of that name."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from taxiway.identity import checked_name

from api.build import build
from models.names import is_name
from tests.system.api_server import ApiServer

HARD = [
    "billing/refund",
    "a?b",
    "a#b",
    "100%",
    "a%2Fb",
    "a b",
    "größe",
    "a;b",
    "a\\b",
    "...",
    "a/../b",
    "/a",
    "a/",
    "//",
    "@:+&=,",
]
NEVER = [".", "..", " ", "a\tb", "a\u2028b", "a\ufffeb", "x" * 201]
DECLARED_BY_OPS = (
    "windows",
    "schedules",
    "providers",
)  # their names are narrower: letters, digits, dots, dashes, underscores
ROUTES = [
    (method, path)
    for path, calls in build().openapi()["paths"].items()
    for method in calls
    if "{name}" in path
]  # fmt: skip
BODIES: dict[str, Any] = {
    "windows": {"cron": "0 1 * * *", "duration": 60, "timezone": "UTC"},
    "override": {"state": "open"},
}


@pytest.fixture(scope="module", autouse=True)
def agents(api: ApiServer, fake_worker: object) -> None:
    """Create agents, and a queue for each, of all these names."""
    with api.connect() as connection:
        for name in HARD:
            connection.execute("INSERT INTO queue (name) VALUES (%s) ON CONFLICT DO NOTHING", [name])
            connection.execute(
                "INSERT INTO agent (name, queue, version, input_schema) VALUES (%s, %s, '1', '{}') ON CONFLICT DO NOTHING",
                [name, name],
            )


def called(client: httpx.Client, method: str, path: str, name: str, run: str) -> httpx.Response:
    address = path.replace("{name}", quote(name, safe="")).replace("{runId}", run)
    body = {} if method in ("put", "post") else None
    return client.request(method, address, json=body)


@pytest.mark.parametrize("name", HARD)
def test_every_route_with_a_name_in_it_reads_the_name_as_it_is(acme: httpx.Client, run: str, name: str) -> None:
    for method, path in ROUTES:
        answer = called(acme, method, path, name, run)
        said = answer.json() if answer.content else {}
        kind = path.split("/")[2]
        if kind in DECLARED_BY_OPS:
            # Refused where it is declared; elsewhere the call was reached, and found no such thing.
            assert said["code"] in ("invalid_request", "not_found"), (method, path, said)
            assert "no address" not in said["detail"], (method, path, said)
            assert "There is nothing at this address" not in said["detail"], (method, path, said)
        else:
            assert answer.status_code in (200, 202), (method, path, said)
            assert said["name"] == name if kind != "runs" else True, (method, path, said)


def test_a_signal_of_any_name_is_kept_under_it(api: ApiServer, acme: httpx.Client, run: str) -> None:
    for name in HARD:
        assert called(acme, "post", "/v1/runs/{runId}/signals/{name}", name, run).status_code == 202
    with api.connect() as connection:
        kept = connection.execute("SELECT name FROM signal WHERE run_id = %s ORDER BY id", [run]).fetchall()
    assert [row["name"] for row in kept] == HARD


@pytest.mark.parametrize("name", NEVER)
def test_what_cannot_be_a_name_is_refused_by_every_route_that_declares_one(
    acme: httpx.Client, run: str, name: str
) -> None:
    if name in (".", ".."):
        return  # no client sends them; the SDK refuses them, see below
    for method, path in ROUTES:
        if method == "put" or path.endswith("signals/{name}"):
            answer = called(acme, method, path, name, run)
            assert answer.json()["code"] in ("invalid_request", "not_found"), (method, path, answer.json())


@given(st.text(max_size=8) | st.sampled_from([*HARD, *NEVER]))
def test_the_sdk_has_the_rule_of_the_server(name: str) -> None:
    try:
        checked_name(name)
    except ValueError:
        declared = False
    else:
        declared = True
    assert declared == is_name(name)
