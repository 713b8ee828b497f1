"""The calls with which ops steer the installation: windows, queues, agents, schedules, providers. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from taxiway.client.calls import Accepted, Answer, Call, NewRun, Request, post, segment, with_body, zoned
from taxiway.client.views import Json, RunView
from taxiway.durations import Duration, seconds

KEEP: Any = object()  # stands for what stays as it is


def window(name: str, following: int) -> Call[Json]:
    """GET /v1/windows/{name}."""
    return Call(Request("GET", _path("windows", name), (("next", str(following)),)), _document)


def put_window(name: str, *, cron: str, duration: Duration, timezone: str, kind: str, on_close: str) -> Call[Json]:
    """PUT /v1/windows/{name}."""
    body = {"cron": cron, "duration": seconds(duration), "timezone": timezone, "kind": kind, "onClose": on_close}
    return Call(with_body("PUT", _path("windows", name), body), _document)


def delete_window(name: str) -> Call[None]:
    """DELETE /v1/windows/{name}."""
    return Call(Request("DELETE", _path("windows", name)), _nothing)


def override_window(name: str, state: str, until: datetime, reason: str | None) -> Call[Json]:
    """POST /v1/windows/{name}/override."""
    body = {"state": state, "until": zoned(until, "until")} | ({} if reason is None else {"reason": reason})
    return Call(post(_path("windows", name, "override"), body), _document)


def end_override(name: str) -> Call[Json]:
    """DELETE /v1/windows/{name}/override."""
    return Call(Request("DELETE", _path("windows", name, "override")), _document)


def put_queue(
    name: str,
    *,
    limit: int | None,
    tenant_limit: int | None,
    key_limit: int | None,
    hold_keys: bool,
    rate: Mapping[str, Any] | None,
    weights: Mapping[str, float] | None,
    cordoned: bool,
    paused: bool,
    window: str | None,
) -> Call[Json]:
    """PUT /v1/queues/{name}, with what is not KEEP."""
    body = {
        "limit": limit, "tenantLimit": tenant_limit, "keyLimit": key_limit, "holdKeys": hold_keys, "rate": _rate(rate),
        "weights": dict(weights) if weights is not KEEP and weights is not None else weights,
        "cordoned": cordoned, "paused": paused, "window": window,
    }  # fmt: skip
    return _put_gate("queues", name, body)


def put_agent(name: str, *, limit: int | None, paused: bool, window: str | None) -> Call[Json]:
    """PUT /v1/agents/{name}, with what is not KEEP."""
    return _put_gate("agents", name, {"limit": limit, "paused": paused, "window": window})


def _put_gate(kind: str, name: str, body: Mapping[str, Any]) -> Call[Json]:
    given = {field: value for field, value in body.items() if value is not KEEP}
    return Call(with_body("PUT", _path(kind, name), given), _document)


def _rate(rate: Mapping[str, Any] | None) -> Any:
    if rate is KEEP or rate is None or "per" not in rate:
        return rate
    return {**rate, "per": seconds(rate["per"])}


def schedule(name: str) -> Call[Json]:
    """GET /v1/schedules/{name}."""
    return Call(Request("GET", _path("schedules", name)), _document)


def put_schedule(
    name: str,
    *,
    cron: str | None,
    timezone: str | None,
    run: NewRun | Mapping[str, Any] | None,
    overlap: str | None,
    catch_up: str | None,
    paused: bool | None,
) -> Call[Json]:
    """PUT /v1/schedules/{name}, with what is not None; a mapping holds the keyword arguments of enqueue()."""
    new = NewRun(**run) if isinstance(run, Mapping) else run
    said = {"cron": cron, "timezone": timezone, "overlap": overlap, "catchUp": catch_up, "paused": paused}
    body = {**said, "run": None if new is None else new.body()}
    given = {field: value for field, value in body.items() if value is not None}
    return Call(with_body("PUT", _path("schedules", name), given), _document)


def delete_schedule(name: str) -> Call[None]:
    """DELETE /v1/schedules/{name}."""
    return Call(Request("DELETE", _path("schedules", name)), _nothing)


def run_schedule(name: str) -> Call[Accepted]:
    """POST /v1/schedules/{name}/run."""

    def read(answer: Answer) -> Accepted:
        return Accepted(RunView.read(answer.json), replayed=False)

    return Call(post(_path("schedules", name, "run"), {}), read)


def provider(name: str) -> Call[Json]:
    """GET /v1/providers/{name}."""
    return Call(Request("GET", _path("providers", name)), _document)


def put_provider(
    name: str,
    *,
    authorize_url: str,
    token_url: str,
    client_id: str,
    client_secret: str | None,
    client_auth: str,
    revocation_url: str | None,
    scopes: Iterable[str],
    parameters: Mapping[str, str] | None,
    issuer: str | None,
    callback: str | None,
) -> Call[Json]:
    """PUT /v1/providers/{name}; a client secret of KEEP stays as it is."""
    body = {
        "authorizeUrl": authorize_url, "tokenUrl": token_url, "revocationUrl": revocation_url, "clientId": client_id,
        "clientSecret": client_secret, "clientAuth": client_auth, "scopes": list(scopes), "parameters": dict(parameters or {}),
        "issuer": KEEP if issuer is None else issuer, "callback": KEEP if callback is None else callback,
    }  # fmt: skip
    given = {field: value for field, value in body.items() if value is not KEEP}
    return Call(with_body("PUT", _path("providers", name), given), _document)


def delete_provider(name: str) -> Call[None]:
    """DELETE /v1/providers/{name}."""
    return Call(Request("DELETE", _path("providers", name)), _nothing)


def revoke_grant(grant_id: str) -> Call[None]:
    """DELETE /v1/grants/{id}."""
    return Call(Request("DELETE", _path("grants", grant_id)), _nothing)


def _path(kind: str, name: str, *more: str) -> str:
    return "/".join((f"/v1/{kind}", segment(name), *more))


def _document(answer: Answer) -> Json:
    return dict(answer.json)


def _nothing(_answer: Answer) -> None:
    return None
