"""Checks of an answer beyond the generator's own, in terms of the API's problem codes."""

from __future__ import annotations

import schemathesis
from schemathesis.core.failures import Failure

# Refusals of a request that fits the document: they depend on the existing rows. (`payload_too_large`: on a setting.)
STATES = {
    "forbidden", "not_found", "run_not_found", "token_unknown", "run_finished", "illegal_move", "idempotency_mismatch",
    "wait_closed", "conflict", "token_used", "token_expired", "unknown_agent", "unknown_queue", "unknown_window",
    "unknown_provider", "invalid_input", "invalid_answer", "invalid_cursor", "payload_too_large", "provider_failed",
}  # fmt: skip
# Likewise of single fields: relations to the clock, to other fields and to records, which no schema can express.
RELATIONS = {
    ("POST", "/v1/windows/{name}/override", "until"): "in the future",
    ("PUT", "/v1/schedules/{name}", "cron"): "is missing",  # of a schedule that does not exist yet
    ("PUT", "/v1/schedules/{name}", "timezone"): "is missing",
    ("PUT", "/v1/schedules/{name}", "run"): "is missing",
    ("PUT", "/v1/providers/{name}", "tokenUrl"): "private address",
    ("PUT", "/v1/providers/{name}", "revocationUrl"): "private address",
    ("PUT", "/v1/providers/{name}", "clientSecret"): "must be sent again",
    ("POST", "/v1/runs", "expiresIn"): "ends before notBefore",
    ("POST", "/v1/runs/batch", "expiresIn"): "ends before notBefore",
    ("POST", "/v1/runs/{runId}/retry", "fromStep"): "is neither key nor name",
}
SCOPES = "x-scopes-of-the-key"  # sent for this check, and not read by the API


@schemathesis.check
def takes_what_it_documents(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """A request that fits the document is answered, or refused because of existing rows; never because of its content."""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or response.status_code < 400 or _is_probe(case):
        return
    problem = _problem(response)
    page = "text/html" in str(response.headers.get("content-type")) and response.status_code in (404, 409, 410)
    if page or problem.get("code") in STATES or response.status_code in (401, 405):
        return
    errors = problem.get("errors", [])
    if errors and all(_is_relation(case, error) for error in errors):
        return
    raise Failure(
        operation=case.operation.label,
        title="Refuses what the document allows",
        message=str(problem or response.text[:300]),
    )


@schemathesis.check
def needs_the_documented_scope(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """A key with none of the scopes that a call documents is refused with 403, whatever it asks for.

    An address with the character NUL is refused before anything else is looked at, with any key.
    """
    wanted = {
        scope
        for one in case.operation.definition.raw.get("security", ())
        for scopes in one.values()
        for scope in scopes
    }
    held = set(case.operation.schema.config.headers[SCOPES].split())
    if not wanted or wanted & held or _is_probe(case) or response.status_code in (401, 405) or _has_nul(response):
        return
    if (response.status_code, _problem(response).get("code")) != (403, "forbidden"):
        raise Failure(
            operation=case.operation.label, title="Lets in a key without the scope", message=response.text[:300]
        )


def _has_nul(response: schemathesis.Response) -> bool:
    """Return whether the address has the character NUL and was refused for it."""
    return "%00" in str(response.request.url) and "character NUL" in str(_problem(response).get("detail"))


def _is_relation(case: schemathesis.Case, error: dict[str, str]) -> bool:
    said = RELATIONS.get((case.operation.method.upper(), case.operation.path, error["field"].rpartition(".")[2]))
    return said is not None and said in error["detail"]


def _is_probe(case: schemathesis.Case) -> bool:
    """Return whether the method, or the type of the body, differs from the call's."""
    from schemathesis.specs.openapi.checks import is_unexpected_http_status_case  # noqa: PLC0415

    return is_unexpected_http_status_case(case)


def _problem(response: schemathesis.Response) -> dict[str, object]:
    return response.json() if "problem+json" in str(response.headers.get("content-type")) else {}
