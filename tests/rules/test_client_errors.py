"""Each unsuccessful answer becomes the one error that names the remedy."""

from __future__ import annotations

import httpx
import pytest
from taxiway import client as api

from tests.rules.canned import KINDS, Canned, Speaker, problem, run

FIELDS = [{"field": "input.name", "detail": "is missing"}]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_json", api.Invalid),
        (401, "unauthenticated", api.Unauthenticated),
        (403, "forbidden", api.Forbidden),
        (404, "run_not_found", api.NotFound),
        (409, "idempotency_mismatch", api.Conflict),
        (409, "run_finished", api.RunFinished),
        (410, "token_used", api.Conflict),
        (413, "payload_too_large", api.Invalid),
        (415, "unsupported_media_type", api.Invalid),
        (418, "teapot", api.Refused),
        (422, "unknown_agent", api.Invalid),
        (429, "rate_limited", api.RateLimited),
        (503, "unavailable", api.Unavailable),
    ],
)
@pytest.mark.parametrize("kind_of_client", KINDS)
def test_each_status_is_its_own_error(kind_of_client: Speaker, status: int, code: str, kind: type[api.Refused]) -> None:
    server = Canned(problem(status, code, "So it is.", errors=FIELDS))
    with pytest.raises(api.Refused) as caught:
        kind_of_client(server).call("enqueue", "greet")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.detail) == (status, code, "So it is.")
    assert error.errors == (api.FieldError("input.name", "is missing"),)
    assert str(error) == "So it is. (input.name: is missing)"


def test_run_finished_carries_what_the_run_ended_as() -> None:
    server = Canned(problem(409, "run_finished", "It has ended.", run=run("SUCCESS", result=7)))
    with pytest.raises(api.RunFinished) as caught:
        KINDS[0](server).on_run("cancel")
    assert caught.value.run is not None
    assert caught.value.run.result == 7


def test_rate_limited_says_for_how_long() -> None:
    server = Canned(problem(429, "rate_limited", "Slow down.", headers={"retry-after": "2"}))
    with pytest.raises(api.RateLimited) as caught:
        KINDS[0](server).call("agents")
    assert caught.value.retry_after == 2


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<h1>It works!</h1>"),
        httpx.Response(200, json=["not", "a", "run"]),
        httpx.Response(200, json={"id": "x"}),
        httpx.Response(404, html="nginx"),
        httpx.Response(307, headers={"location": "https://elsewhere.example"}),
        httpx.Response(500, text="oops"),
    ],
)
@pytest.mark.parametrize("kind_of_client", KINDS)
def test_an_answer_that_no_taxiway_server_gives_is_a_fault(kind_of_client: Speaker, answer: httpx.Response) -> None:
    with pytest.raises(api.ServerFault, match=r"GET /v1/runs/.* at 127\.0\.0\.1:8000 answered"):
        kind_of_client(Canned(answer)).on_run("get")


def test_a_server_that_failed_is_quoted() -> None:
    with pytest.raises(api.ServerFault, match=r"The server failed \(500\): It broke\."):
        KINDS[0](Canned(problem(500, "internal", "It broke."))).on_run("get")


def test_a_gateway_without_a_problem_document_means_later() -> None:
    with pytest.raises(api.Unavailable):
        KINDS[0](Canned(httpx.Response(502, html="Bad Gateway"))).on_run("get")


@pytest.mark.parametrize("kind_of_client", KINDS)
def test_no_answer_is_not_reachable_and_names_the_address(kind_of_client: Speaker) -> None:
    with pytest.raises(api.NotReachable, match=r"http://127\.0\.0\.1:8000 \(refused\).*make up"):
        kind_of_client(Canned(httpx.ConnectError("refused"))).on_run("get")
    with pytest.raises(api.NotReachable, match="in time"):
        kind_of_client(Canned(httpx.ReadTimeout("slow"))).on_run("get")


def test_every_error_of_the_client_has_one_root() -> None:
    errors = [item for item in vars(api).values() if isinstance(item, type) and issubclass(item, Exception)]
    assert len(errors) > 15
    assert all(issubclass(error, api.TaxiwayError) for error in errors)
