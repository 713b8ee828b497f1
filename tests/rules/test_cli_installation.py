"""The commands about agents, workers, windows, queues, schedules and providers show and change their settings."""

from __future__ import annotations

import json
from datetime import datetime

import httpx
import pytest

from tests.rules.canned import RUN_ID, Canned, run
from tests.rules.command_line import Invoke


def test_the_fleet_is_listed_by_what_the_server_says(invoke: Invoke) -> None:
    rows = {"workers": [{"slots": 4, "name": "w1", "agents": ["a", "b"], "draining": False, "pid": 7}]}
    lines = invoke(Canned(httpx.Response(200, json=rows)), "workers").stdout.splitlines()
    assert [line.split("\t") for line in lines] == [
        ["NAME", "QUEUE", "SLOTS", "LEASED", "ALIVE", "DRAINING", "AGENTS"],
        ["w1", "", "4", "", "", "no", "a, b"],
    ]
    assert invoke(Canned(httpx.Response(200, json={"agents": []})), "agents").stderr == "There are no agents yet.\n"


NIGHT = {
    "name": "night", "kind": "window", "open": False, "until": "2026-11-26T21:00:00.000Z", "cron": "0 22 * * 1-5",
    "duration": "PT8H", "timezone": "Europe/Berlin", "onClose": "finish", "queues": ["slow"], "agents": [],
    "override": {"state": "closed", "until": "2026-11-26T20:00:00.000Z", "by": "ann", "reason": "audit"},
    "next": [{"begins": "2026-11-26T21:00:00.000Z", "ends": "2026-11-27T05:00:00.000Z"}],
}  # fmt: skip


def test_a_window_is_shown_with_its_next_periods(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json=NIGHT))
    result = invoke(server, "windows", "show", "night", "--next", "1")
    assert result.stdout.splitlines() == [
        "window night is closed until 2026-11-26T21:00:00.000Z.",
        "0 22 * * 1-5 for PT8H in Europe/Berlin, on close: finish",
        "queues: slow",
        "held closed until 2026-11-26T20:00:00.000Z by ann: audit",
        "BEGINS\tENDS",
        "2026-11-26T21:00:00.000Z\t2026-11-27T05:00:00.000Z",
    ]
    assert (server.last.url.path, dict(server.last.url.params)) == ("/v1/windows/night", {"next": "1"})


def test_a_window_is_put_overridden_released_and_deleted(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json=NIGHT))
    times = ("--cron", "0 22 * * *", "--duration", "8h", "--timezone", "UTC")
    assert invoke(server, "windows", "put", "night", *times, "--blackout").exit_code == 0
    assert (server.last.method, server.body()) == ("PUT", {
        "cron": "0 22 * * *", "duration": 28800, "timezone": "UTC", "kind": "blackout", "onClose": "finish",
    })  # fmt: skip
    until = ("--until", "2026-11-26T20:00Z", "--reason", "audit")
    assert invoke(server, "windows", "override", "night", "closed", *until).exit_code == 0
    assert server.last.url.path == "/v1/windows/night/override"
    assert server.body() == {"state": "closed", "until": "2026-11-26T20:00:00+00:00", "reason": "audit"}
    assert invoke(server, "windows", "release", "night").exit_code == 0
    assert (server.last.method, server.last.url.path) == ("DELETE", "/v1/windows/night/override")
    result = invoke(Canned(httpx.Response(204)), "windows", "delete", "night")
    assert (result.exit_code, result.stdout) == (0, "Window night is deleted.\n")


def test_of_a_queue_only_what_was_given_is_changed(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json={"name": "slow", "paused": False, "window": None}))
    assert invoke(server, "queues", "put", "slow", "--window", "").exit_code == 0
    assert (server.last.url.path, server.body()) == ("/v1/queues/slow", {"window": None})
    assert invoke(server, "queues", "put", "slow", "--running", "--window", "night").exit_code == 0
    assert server.body() == {"paused": False, "window": "night"}


def test_a_queue_is_limited_by_words(invoke: Invoke) -> None:
    shown = {
        "name": "slow", "limit": 20, "tenantLimit": 5, "keyLimit": 1, "rate": {"limit": 100, "per": "PT1M"},
        "weights": {"acme": 2.0, "b=c": 0.5}, "cordoned": True, "paused": False, "window": None,
    }  # fmt: skip
    server = Canned(httpx.Response(200, json=shown))
    words = (
        "--limit 20 --tenant-limit 5 --key-limit 2 --hold-keys --rate 100/1m --weight acme=2 --weight b=c=.5 --cordon"
    )
    result = invoke(server, "queues", "put", "slow", *words.split())
    assert result.exit_code == 0, result.output
    assert server.body() == {
        "limit": 20, "tenantLimit": 5, "keyLimit": 2, "holdKeys": True, "rate": {"limit": 100, "per": 60},
        "weights": {"acme": 2.0, "b=c": 0.5}, "cordoned": True,
    }  # fmt: skip
    heading, line = (line.split("\t") for line in result.stdout.splitlines())
    assert heading == ["NAME", "LIMIT", "TENANTLIMIT", "KEYLIMIT", "RATE", "WEIGHTS", "CORDONED", "PAUSED", "WINDOW"]
    assert line == ["slow", "20", "5", "1", "100/PT1M", "acme=2, b=c=0.5", "yes", "no", ""]


@pytest.mark.parametrize("nothing", ["none", ""])
def test_a_limit_is_taken_away_by_saying_so(invoke: Invoke, nothing: str) -> None:
    server = Canned(httpx.Response(200, json={"name": "slow"}))
    options = ("--limit", "--tenant-limit", "--key-limit", "--rate", "--weight", "--window")
    words = [word for option in options for word in (option, nothing)]
    assert invoke(server, "queues", "put", "slow", *words, "--release-keys", "--uncordon", "--running").exit_code == 0
    assert server.body() == {
        "limit": None, "tenantLimit": None, "keyLimit": None, "rate": None, "weights": None, "window": None,
        "holdKeys": False, "cordoned": False, "paused": False,
    }  # fmt: skip


def test_of_an_agent_only_what_was_given_is_changed(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json={"name": "greet", "queue": "slow", "limit": 4, "paused": True}))
    result = invoke(server, "agents", "put", "greet", "--limit", "4", "--paused")
    assert (server.last.method, server.last.url.path) == ("PUT", "/v1/agents/greet")
    assert server.body() == {"limit": 4, "paused": True}
    assert result.stdout.splitlines()[1].split("\t")[:6] == ["greet", "slow", "", "", "4", "yes"]
    assert invoke(server, "agents", "put", "greet", "--limit", "none", "--window", "").exit_code == 0
    assert server.body() == {"limit": None, "window": None}


def test_capacity_says_in_words_what_holds_a_queue_back(invoke: Invoke) -> None:
    busy = {
        "queue": "busy",
        "workers": 2,
        "slots": 8,
        "limit": 6,
        "inFlight": 6,
        "queued": 9,
        "blocked": 4,
        "parked": 1,
    }
    held = {**busy, "queue": "held", "limit": None, "paused": True, "cordoned": True, "window": "night"}
    until = {"open": False, "until": "2026-11-26T21:00:00.000Z"}
    rows = [
        busy,
        {**held, "nextWindow": until},
        {"queue": "odd", "window": "day", "nextWindow": {"open": True, "until": None}},
    ]
    server = Canned(httpx.Response(200, json={"queues": rows}))
    lines = [line.split("\t") for line in invoke(server, "capacity").stdout.splitlines()]
    assert lines[0] == ["QUEUE", "WORKERS", "SLOTS", "LIMIT", "INFLIGHT", "QUEUED", "BLOCKED", "PARKED", "STATE"]
    assert lines[1] == ["busy", "2", "8", "6", "6", "9", "4", "1", "open"]
    at = datetime.fromisoformat("2026-11-26T21:00:00Z").astimezone()
    assert lines[2][-1] == f"paused, cordoned, night closed until {at:%Y-%m-%d %H:%M:%S}"
    assert lines[3][-1] == "day open"


NIGHTLY = {
    "name": "nightly", "agent": "greet", "cron": "30 2 * * *", "timezone": "UTC", "overlap": "skip", "catchUp": "none",
    "paused": False, "nextAt": "2026-11-27T02:30:00.000Z",
    "firings": [{"at": "2026-11-26T02:30:00.000Z", "outcome": "fired", "runId": RUN_ID}],
}  # fmt: skip


def test_a_schedule_is_shown_with_its_firings(invoke: Invoke) -> None:
    result = invoke(Canned(httpx.Response(200, json=NIGHTLY)), "schedules", "show", "nightly")
    assert result.stdout.splitlines() == [
        "Schedule nightly of greet fires next at 2026-11-27T02:30:00.000Z.",
        "30 2 * * * in UTC, overlap: skip, catch-up: none",
        "FIRED FOR\tOUTCOME\tRUN",
        f"2026-11-26T02:30:00.000Z\tfired\t{RUN_ID}",
    ]


def test_a_schedule_is_put_run_and_deleted(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json={"agents": []}), httpx.Response(200, json=NIGHTLY))
    rule = ("--cron", "30 2 * * *", "--timezone", "UTC", "--overlap", "queue")
    assert invoke(server, "schedules", "put", "nightly", "greet", "-i", "n=1", *rule).exit_code == 0
    assert (server.last.method, server.last.url.path) == ("PUT", "/v1/schedules/nightly")
    assert server.body() == {
        "cron": "30 2 * * *", "timezone": "UTC", "overlap": "queue", "run": {"agent": "greet", "input": {"n": 1}},
    }  # fmt: skip
    assert invoke(server, "schedules", "put", "nightly", "--catch-up", "last").exit_code == 0
    assert server.body() == {"catchUp": "last"}
    assert invoke(server, "schedules", "resume", "nightly").exit_code == 0
    assert server.body() == {"paused": False}
    assert invoke(Canned(httpx.Response(201, json=run())), "schedules", "run", "nightly").stdout == f"{RUN_ID}\n"
    deleted = invoke(Canned(httpx.Response(204)), "schedules", "delete", "nightly")
    assert deleted.stdout == "Schedule nightly is deleted.\n"


PUT_PROVIDER = [
    "providers",
    "put",
    "bank",
    "--authorize-url",
    "https://bank.example/a",
    "--token-url",
    "https://bank.example/t",
]
PUT_PROVIDER += ["--client-id", "us"]


def test_a_provider_is_introduced_and_its_secret_kept_where_none_is_given(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Canned(httpx.Response(201, json={"name": "bank"}))
    result = invoke(server, *PUT_PROVIDER, "--scope", "read", "--parameter", "prompt=consent")
    assert (result.exit_code, "/v1/auth/callback" in result.stdout) == (0, True)
    assert (server.last.method, server.last.url.path) == ("PUT", "/v1/providers/bank")
    assert server.body() == {
        "authorizeUrl": "https://bank.example/a", "tokenUrl": "https://bank.example/t", "revocationUrl": None,
        "clientId": "us", "clientAuth": "basic", "scopes": ["read"], "parameters": {"prompt": "consent"},
    }  # fmt: skip
    monkeypatch.setenv("TAXIWAY_CLIENT_SECRET", "from outside")
    result = invoke(server, *PUT_PROVIDER, "--json")
    assert (json.loads(result.stdout), server.body()["clientSecret"]) == ({"name": "bank"}, "from outside")


def test_grants_are_lines_and_one_is_revoked_by_its_id(invoke: Invoke) -> None:
    grant = {"id": "g1", "provider": "bank", "subject": "ann", "scopes": ["a", "b"], "refreshable": True}
    server = Canned(httpx.Response(200, json={"grants": [grant], "nextCursor": None}))
    result = invoke(server, "providers", "grants", "--subject", "ann")
    assert "g1\tbank\tann\ta, b\tyes" in result.stdout
    assert dict(server.last.url.params) == {"subject": "ann", "limit": "50"}
    server = Canned(httpx.Response(204))
    result = invoke(server, "providers", "revoke", "g1")
    assert (result.stdout, server.last.method, server.last.url.path) == (
        "Grant g1 is revoked.\n",
        "DELETE",
        "/v1/grants/g1",
    )
