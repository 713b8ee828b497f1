"""Calls that configure the installation: windows, queues, agents, schedules, providers. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from taxiway.client.calls import Accepted, Answer, Call, NewRun, Request, post, segment, with_body, zoned
from taxiway.client.options import (
    AgentOptions,
    ProviderOptions,
    QueueOptions,
    ScheduleOptions,
    WindowOptions,
    as_body,
)
from taxiway.client.views import Json, RunView
from taxiway.durations import seconds


def window(name: str, following: int) -> Call[Json]:
    """GET /v1/windows/{name}."""
    return Call(Request("GET", _path("windows", name), (("next", str(following)),)), _document)


def put_window(name: str, options: WindowOptions) -> Call[Json]:
    """PUT /v1/windows/{name}."""
    body = {"kind": "window", "onClose": "finish", **as_body(options, WindowOptions)}
    return _put("windows", name, {**body, "duration": seconds(body["duration"])})


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


def put_queue(name: str, options: QueueOptions) -> Call[Json]:
    """PUT /v1/queues/{name}."""
    body = as_body(options, QueueOptions)
    if (rate := body.get("rate")) is not None and "per" in rate:
        body["rate"] = {**rate, "per": seconds(rate["per"])}
    if (weights := body.get("weights")) is not None:
        body["weights"] = dict(weights)
    return _put("queues", name, body)


def put_agent(name: str, options: AgentOptions) -> Call[Json]:
    """PUT /v1/agents/{name}."""
    return _put("agents", name, as_body(options, AgentOptions))


def schedule(name: str) -> Call[Json]:
    """GET /v1/schedules/{name}."""
    return Call(Request("GET", _path("schedules", name)), _document)


def put_schedule(name: str, options: ScheduleOptions) -> Call[Json]:
    """PUT /v1/schedules/{name}, without what is None."""
    body = {field: value for field, value in as_body(options, ScheduleOptions).items() if value is not None}
    if (run := body.get("run")) is not None:
        body["run"] = (NewRun(**run) if isinstance(run, Mapping) else run).body()
    return _put("schedules", name, body)


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


def put_provider(name: str, options: ProviderOptions) -> Call[Json]:
    """PUT /v1/providers/{name}, without an issuer or a callback that is None."""
    given = {"clientAuth": "basic", "revocationUrl": None, **as_body(options, ProviderOptions)}
    body = {field: value for field, value in given.items() if value is not None or field not in ("issuer", "callback")}
    body |= {"scopes": list(given.get("scopes", ())), "parameters": dict(given.get("parameters") or {})}
    return _put("providers", name, body)


def delete_provider(name: str) -> Call[None]:
    """DELETE /v1/providers/{name}."""
    return Call(Request("DELETE", _path("providers", name)), _nothing)


def revoke_grant(grant_id: str) -> Call[None]:
    """DELETE /v1/grants/{id}."""
    return Call(Request("DELETE", _path("grants", grant_id)), _nothing)


def _put(kind: str, name: str, body: Mapping[str, Any]) -> Call[Json]:
    return Call(with_body("PUT", _path(kind, name), body), _document)


def _path(kind: str, name: str, *more: str) -> str:
    return "/".join((f"/v1/{kind}", segment(name), *more))


def _document(answer: Answer) -> Json:
    return dict(answer.json)


def _nothing(_answer: Answer) -> None:
    return None
