"""Every bad request is refused with the right status and code, and stores nothing."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT
from tests.system.refusals import GOOD, JSON, problem


def fields(document: dict[str, Any]) -> set[str]:
    return {error["field"] for error in document["errors"]}


CASES: list[tuple[str, Any, int, str, set[str] | None]] = [
    ("an unknown agent", {"agent": "refnd"}, 422, "unknown_agent", {"agent"}),
    ("an unknown queue", {**GOOD, "queue": "defualt"}, 422, "unknown_queue", {"queue"}),
    ("a wrong input type", {"agent": "refund", "input": {"order_id": 7}}, 422, "invalid_input", {"input.order_id"}),
    ("a missing input field", {"agent": "refund", "input": {}}, 422, "invalid_input", {"input.order_id"}),
    ("no input where one is needed", {"agent": "refund"}, 422, "invalid_input", {"input.order_id"}),
    ("a surplus input field", {"agent": "refund", "input": {**INPUT, "x": 1}}, 422, "invalid_input", {"input.x"}),
    ("NUL in the input", {"agent": "echo", "input": {"a": ["\0"]}}, 422, "invalid_input", {"input"}),
    ("NUL in a name of the input", {"agent": "echo", "input": {"\0": 1}}, 422, "invalid_input", {"input"}),
    ("half a surrogate pair in the input", {"agent": "echo", "input": {"a": "\ud800"}}, 422, "invalid_input", {"input"}),
    ("an unknown field", {**GOOD, "inputs": {}}, 422, "unknown_field", {"inputs"}),
    ("a field of a later version", {**GOOD, "callbackUrl": "https://a.example"}, 422, "unknown_field", {"callbackUrl"}),
    ("a window that is not there", {**GOOD, "window": "nightly"}, 422, "unknown_window", {"window"}),
    ("a later field that says nothing", {**GOOD, "callbackUrl": None}, 422, "unknown_field", {"callbackUrl"}),
    ("no agent", {"input": {}}, 400, "invalid_request", {"agent"}),
    ("an agent that is no text", {"agent": 7}, 400, "invalid_request", {"agent"}),
    ("an input that is no object", {"agent": "refund", "input": [1]}, 400, "invalid_request", {"input"}),
    ("a priority that is a text", {**GOOD, "priority": "1"}, 400, "invalid_request", {"priority"}),
    ("a priority that is a truth", {**GOOD, "priority": True}, 400, "invalid_request", {"priority"}),
    ("a priority out of range", {**GOOD, "priority": 101}, 400, "invalid_request", {"priority"}),
    ("a timeout of zero", {**GOOD, "timeout": 0}, 400, "invalid_request", {"timeout"}),
    ("a timeout of months", {**GOOD, "timeout": "P1M"}, 400, "invalid_request", {"timeout"}),
    ("a timeout beyond every number", {**GOOD, "timeout": 1e300}, 400, "invalid_request", {"timeout"}),
    ("metadata that is no text", {**GOOD, "metadata": {"a": 1}}, 400, "invalid_request", {"metadata.a"}),
    ("metadata that is too long", {**GOOD, "metadata": {"a": "x" * 513}}, 400, "invalid_request", {"metadata.a"}),
    ("too much metadata", {**GOOD, "metadata": {str(n): "" for n in range(65)}}, 400, "invalid_request", {"metadata"}),
    ("NUL in metadata", {**GOOD, "metadata": {"a": "\0"}}, 400, "invalid_request", {"metadata.a"}),
    ("NUL in a user id", {**GOOD, "userId": "a\0"}, 400, "invalid_request", {"userId"}),
    ("NUL in a tag", {**GOOD, "tags": ["\0"]}, 400, "invalid_request", {"tags[0]"}),
    ("half a surrogate pair in a tag", {**GOOD, "tags": ["\udfff"]}, 400, "invalid_request", {"tags[0]"}),
    ("NUL in the agent's name", {"agent": "a\0"}, 400, "invalid_request", {"agent"}),
    ("a beginning without its offset", {**GOOD, "notBefore": "2030-01-01T00:00:00"}, 400, "invalid_request", {"notBefore"}),
    ("a beginning that is a number", {**GOOD, "notBefore": 1893456000}, 400, "invalid_request", {"notBefore"}),
    ("a beginning before all time", {**GOOD, "notBefore": "0001-01-01T00:00:00+14:00"}, 400, "invalid_request", {"notBefore"}),
    ("a beginning after all time", {**GOOD, "notBefore": "9999-12-31T23:59:59Z"}, 400, "invalid_request", {"notBefore"}),
    ("no time to begin in", {**GOOD, "expiresIn": 0}, 400, "invalid_request", {"expiresIn"}),
    ("a negative time to begin in", {**GOOD, "expiresIn": -1}, 400, "invalid_request", {"expiresIn"}),
    ("a time to begin in that is a truth", {**GOOD, "expiresIn": True}, 400, "invalid_request", {"expiresIn"}),
    ("more than a hundred years to begin in", {**GOOD, "expiresIn": "P36601D"}, 400, "invalid_request", {"expiresIn"}),
    ("an end before the beginning", {**GOOD, "expiresIn": 60, "notBefore": "2098-01-01T00:00:00Z"}, 400, "invalid_request",
     {"expiresIn"}),
    ("an empty key", {**GOOD, "concurrencyKey": ""}, 400, "invalid_request", {"concurrencyKey"}),
    ("a key that is too long", {**GOOD, "concurrencyKey": "ä" * 256}, 400, "invalid_request", {"concurrencyKey"}),
    ("a key that is a number", {**GOOD, "concurrencyKey": 7}, 400, "invalid_request", {"concurrencyKey"}),
    ("NUL in a key", {**GOOD, "concurrencyKey": "a\0"}, 400, "invalid_request", {"concurrencyKey"}),
    ("a line break in a key", {**GOOD, "concurrencyKey": "a\nb"}, 400, "invalid_request", {"concurrencyKey"}),
    ("another line break in a key", {**GOOD, "concurrencyKey": "a\u2028b"}, 400, "invalid_request", {"concurrencyKey"}),
    ("an escape in a key", {**GOOD, "concurrencyKey": "a\x1b[0m"}, 400, "invalid_request", {"concurrencyKey"}),
    ("half a surrogate pair in a key", {**GOOD, "concurrencyKey": "\ud800"}, 400, "invalid_request", {"concurrencyKey"}),
    ("a conflict of no key", {**GOOD, "onConflict": "skip"}, 400, "invalid_request", {"onConflict"}),
    ("a conflict of a key that is null", {**GOOD, "concurrencyKey": None, "onConflict": "queue"}, 400, "invalid_request",
     {"onConflict"}),
    ("a way out of a conflict that there is not", {**GOOD, "concurrencyKey": "k", "onConflict": "wait"}, 400, "invalid_request",
     {"onConflict"}),
    ("too many tags", {**GOOD, "tags": [str(n) for n in range(33)]}, 400, "invalid_request", {"tags"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "code", "named"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_bad_request_names_the_field_and_stores_nothing(
    acme: httpx.Client, nothing_stored: None, body: Any, status: int, code: str, named: set[str] | None
) -> None:
    document = problem(acme.post("/v1/runs", content=json.dumps(body), headers=JSON), status, code)
    assert fields(document) == named
    # The same run inside a batch makes the whole batch fail, and is named by its place.
    batch = json.dumps({"runs": [GOOD, body]})
    document = problem(acme.post("/v1/runs/batch", content=batch, headers=JSON), status, code)
    assert fields(document) == {f"runs[1].{name}" for name in named or ()}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b'"x"', b"null", b'{"agent":"refund"', b'{"agent":NaN}', b'{"agent":-Infinity}', b"\xff\xfe",
        b'{"agent":"a","agent":"b"}', b'{"a":' + b"9" * 5000 + b"}", b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"agent":"echo","input":{"a":' + b"[" * 300 + b"]" * 300 + b"}}",
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_invalid_json(acme: httpx.Client, nothing_stored: None, raw: bytes) -> None:
    problem(acme.post("/v1/runs", content=raw, headers=JSON), 400, "invalid_json")
    problem(acme.post("/v1/runs/batch", content=raw, headers=JSON), 400, "invalid_json")


@pytest.mark.parametrize("call", ["cancel", "pause", "retry", "signals/paid"])
@pytest.mark.parametrize("raw", [b" ", b"\n", b"[]", b"{"])
def test_a_body_that_may_be_left_out_is_a_json_object_where_it_is_there(
    acme: httpx.Client, run: str, call: str, raw: bytes
) -> None:
    problem(acme.post(f"/v1/runs/{run}/{call}", content=raw, headers=JSON), 400, "invalid_json")


def test_a_number_beyond_every_double_is_invalid_input(acme: httpx.Client, nothing_stored: None) -> None:
    raw = b'{"agent":"echo","input":{"a":1e400}}'
    problem(acme.post("/v1/runs", content=raw, headers=JSON), 422, "invalid_input")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_is_not_sent_as_json_is_an_unsupported_media_type(
    acme: httpx.Client, nothing_stored: None, kind: str | None
) -> None:
    headers = {} if kind is None else {"content-type": kind}
    problem(acme.post("/v1/runs", content=json.dumps(GOOD).encode(), headers=headers), 415, "unsupported_media_type")


def test_five_megabytes_are_too_large_however_they_come(acme: httpx.Client, nothing_stored: None) -> None:
    raw = json.dumps({"agent": "echo", "input": {"a": "x" * 5_000_000}}).encode()
    problem(acme.post("/v1/runs", content=raw, headers=JSON), 413, "payload_too_large")

    def chunks() -> Iterator[bytes]:
        yield from (raw[n : n + 65536] for n in range(0, len(raw), 65536))

    problem(acme.post("/v1/runs", content=chunks(), headers=JSON), 413, "payload_too_large")


def test_an_input_is_measured_as_it_would_be_stored(acme: httpx.Client, nothing_stored: None) -> None:
    raw = json.dumps({"agent": "echo", "input": {"a": "x" * (1 << 20)}}).encode()
    document = problem(acme.post("/v1/runs", content=raw, headers=JSON), 413, "payload_too_large")
    assert "input" in document["detail"]


def test_a_declared_length_is_refused_before_the_body_is_sent(api: ApiServer, acme: httpx.Client) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        head = (
            f"POST /v1/runs HTTP/1.1\r\nhost: x\r\nx-api-key: {acme.headers['x-api-key']}\r\n"
            "content-type: application/json\r\ncontent-length: 999999999999\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_batch_may_be_neither_empty_nor_longer_than_allowed(acme: httpx.Client, nothing_stored: None) -> None:
    for runs in ([], [GOOD] * 1001, "x", [1]):
        problem(acme.post("/v1/runs/batch", json={"runs": runs}), 400, "invalid_request")
    problem(acme.post("/v1/runs/batch", json={"runs": [GOOD], "agent": "refund"}), 422, "unknown_field")


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256, "a\tb"])
def test_an_idempotency_key_must_be_visible_characters(acme: httpx.Client, nothing_stored: None, key: str) -> None:
    answer = acme.post("/v1/runs", json=GOOD, headers={"idempotency-key": key.encode("latin-1")})
    problem(answer, 400, "invalid_request")


@pytest.mark.parametrize(
    "run", ["x", "0", "%F0%9F%98%80", "{00000000-0000-7000-8000-000000000000}", "a" * 500, "%2e%2e"]
)
def test_a_malformed_run_id_is_not_found(acme: httpx.Client, run: str) -> None:
    problem(acme.get(f"/v1/runs/{run}"), 404, "run_not_found")


@pytest.mark.parametrize("path", ["/v1/runs?agent=%00", "/v1/runs?metadata.%00=1", "/v1/runs/%00", "/v1/x?a=%00"])
def test_nul_in_an_address_is_an_invalid_request(acme: httpx.Client, path: str) -> None:
    problem(acme.get(path), 400, "invalid_request")


@pytest.mark.parametrize(
    "query",
    [
        "status=DONE", "category=x", "limit=0", "limit=201", "limit=x", "createdAfter=yesterday",
        "createdAfter=2026-01-01T00:00:00",
        "stauts=FAILED", "metadata.=x",
    ],
)  # fmt: skip
def test_a_filter_that_cannot_be_used_is_refused_rather_than_ignored(acme: httpx.Client, query: str) -> None:
    problem(acme.get(f"/v1/runs?{query}"), 400, "invalid_request")


@pytest.mark.parametrize("cursor", ["x", "", "cnVuczp4", "c3RlcHM6MQ", "=", "é", "a" * 50])
def test_a_cursor_that_this_list_did_not_issue_is_invalid(acme: httpx.Client, cursor: str) -> None:
    run = acme.post("/v1/runs", json=GOOD).json()["runId"]
    problem(acme.get("/v1/runs", params={"cursor": cursor}), 400, "invalid_cursor")
    problem(acme.get(f"/v1/runs/{run}/logs", params={"cursor": cursor}), 400, "invalid_cursor")


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "99999999999999999999", "\u0661"])
def test_a_last_event_id_that_is_none_is_an_invalid_request(acme: httpx.Client, last: str) -> None:
    run = acme.post("/v1/runs", json=GOOD).json()["runId"]
    problem(acme.get(f"/v1/runs/{run}/sse", params={"lastEventId": last}), 400, "invalid_request")


def test_a_last_event_id_beyond_the_newest_event_is_one_that_nobody_issued(acme: httpx.Client) -> None:
    run = acme.post("/v1/runs", json=GOOD).json()["runId"]
    problem(acme.get(f"/v1/runs/{run}/sse", params={"lastEventId": "2"}), 400, "invalid_cursor")


@pytest.mark.parametrize("timeout", ["0", "26", "x", "1.5"])
def test_a_wait_lasts_between_1_and_25_seconds(acme: httpx.Client, timeout: str) -> None:
    run = acme.post("/v1/runs", json=GOOD).json()["runId"]
    problem(acme.get(f"/v1/runs/{run}/wait", params={"timeout": timeout}), 400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"grace": -1}, "invalid_request"), ({"grace": "PT2H"}, "invalid_request"), ({"grace": True}, "invalid_request"),
        ({"reason": "\0"}, "invalid_request"), ({"reason": "x" * 501}, "invalid_request"), ({"resaon": "x"}, "unknown_field"),
    ],
)  # fmt: skip
def test_a_bad_cancel_cancels_nothing(acme: httpx.Client, body: Any, code: str) -> None:
    run = acme.post("/v1/runs", json=GOOD).json()["runId"]
    answer = acme.post(f"/v1/runs/{run}/cancel", json=body)
    problem(answer, 422 if code == "unknown_field" else 400, code)
    assert acme.get(f"/v1/runs/{run}").json()["status"] == "QUEUED"


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.get("/v1/nothing"),
        lambda client: client.get("/"),
        lambda client: client.get("/v1/runs/"),
        lambda client: client.post("/v1/runs/x/y/z"),
    ],
)
def test_what_is_not_there_is_not_found(acme: httpx.Client, call: Callable[[httpx.Client], httpx.Response]) -> None:
    problem(call(acme), 404, "not_found")


@pytest.mark.parametrize("path", ["webhooks", "deliveries/x/replay"])
def test_calls_of_a_later_version_say_that_they_are(acme: httpx.Client, path: str) -> None:
    assert "not available in this version" in problem(acme.post(f"/v1/{path}"), 404, "not_found")["detail"]


def test_another_method_is_refused_with_the_ones_that_there_are(acme: httpx.Client) -> None:
    answer = acme.put("/v1/runs")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


def test_an_unknown_agent_is_told_which_there_are(acme: httpx.Client) -> None:
    assert (
        "did you mean refund?"
        in problem(acme.post("/v1/runs", json={"agent": "refnd"}), 422, "unknown_agent")["detail"]
    )
    assert "echo, refund" in problem(acme.post("/v1/runs", json={"agent": "zzzzz"}), 422, "unknown_agent")["detail"]


def test_nothing_that_was_sent_is_written_to_the_log(api: ApiServer, acme: httpx.Client) -> None:
    secret = f"s3cret{uuid.uuid4().hex}"
    body = {
        "agent": "echo",
        "input": {secret: secret},
        "userId": secret,
        "metadata": {secret: secret},
        "tags": [secret],
    }
    run = acme.post("/v1/runs", json=body, headers={"idempotency-key": secret}).json()["runId"]
    acme.get("/v1/runs", params={"tag": secret, f"metadata.{secret}": secret})
    acme.get("/v1/runs", params={secret: secret})
    acme.post("/v1/runs", json={"agent": secret, secret: secret})
    acme.post("/v1/runs", content=secret, headers=JSON)
    acme.post(f"/v1/runs/{run}/cancel", json={"reason": secret})
    acme.get("/v1/runs", headers={"x-api-key": secret})
    acme.get(f"/{secret}")
    log = api.log.read_text()
    assert run in log
    assert secret not in log
    assert acme.headers["x-api-key"] not in log


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/runs/batch", "POST"),
        ("DELETE", "/v1/runs/approval", "GET, POST"),
        ("DELETE", "/v1/runs/bulk/cancel", "GET, POST"),
    ],
)
def test_a_word_in_the_place_of_a_run_has_the_methods_of_its_own_call(
    acme: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = acme.request(method, path)
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


def test_a_whole_number_may_be_written_with_a_point(acme: httpx.Client) -> None:
    whole = acme.post(
        "/v1/runs", content=b'{"agent": "echo", "priority": 4.0}', headers={"content-type": "application/json"}
    )
    assert (whole.status_code, whole.json()["priority"]) == (201, 4)
    problem(acme.post("/v1/runs", json={"agent": "echo", "priority": 4.5}), 400, "invalid_request")
