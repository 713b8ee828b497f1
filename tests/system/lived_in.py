"""An installation with rows of every kind, so that generated requests meet existing ones."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import schemathesis

from models.fleet import workers
from models.ids import liveness_key, new_id
from tests.processes.fleet import Fleet
from tests.system.api_server import ApiServer

AGENTS = """
    @agent
    def counts(run: Run, upto: int = 3, note: str = "") -> list[int]:
        run.log(note)
        return [run.step(abs, n, name=f"n{n}") for n in range(min(max(upto, 0), 5))]

    @agent
    def asks(run: Run) -> str:
        return str(run.approve("Ship it?", choices=["air", "sea"], timeout="1h").choice)

    @agent
    def wonders(run: Run) -> int:
        return run.ask("How many?", int)

    @agent
    def hands_over(run: Run) -> None:
        run.authorize("elsewhere", subject="ann", url="https://consent.example.com/start")

    @agent
    def listens(run: Run) -> object:
        return run.wait_for("paid", timeout="1h")
"""
WAITING = ("asks", "wonders", "hands_over", "listens")
CALENDAR = {"cron": "0 1 * * *", "timezone": "UTC"}
PROVIDER = {"authorizeUrl": "https://a.example.com/go", "tokenUrl": "http://127.0.0.1:9/token", "clientId": "taxiway"}


@dataclass
class LivedIn:
    """The existing values, by the name of the parameter or field; some replace generated ones."""

    values: dict[str, list[str]]
    spared: frozenset[str]

    def change(self, case: schemathesis.Case) -> None:
        """Use existing values in four requests of five; leave alone what the test itself needs."""
        place = case.operation.path.split("/")[2] if case.operation.path.count("/") > 1 else ""
        for name, given in list((case.path_parameters or {}).items()):
            known = self.values.get(f"{place}.{name}") or self.values.get(name)
            if given in self.spared or (known and _valid(case, "path") and zlib.crc32(str(given).encode()) % 5):
                case.path_parameters[name] = _one(known or ["0"], given)
        query = dict(case.query) if isinstance(case.query, Mapping) else {}
        if "timeout" in _names(case, "query") and ("timeout" not in query or _valid(case, "query")):
            case.query = {**query, "timeout": 1}
        if "token" in query and _valid(case, "query"):
            case.query = {**query, "token": self._token(case, query["token"])}
        if isinstance(case.body, dict) and _valid(case, "body"):
            self._fill(case, case.body)

    def _fill(self, case: schemathesis.Case, body: dict[str, Any]) -> None:
        for run in [body, *(body.get("runs") or ())]:
            for name in ("agent", "queue", "window"):
                if isinstance(run.get(name), str) and zlib.crc32(run[name].encode()) % 5:
                    run[name] = _one(self.values[name], run[name])
                    if name == "agent":
                        run["input"] = {}
        if isinstance(body.get("run"), dict):
            self._fill(case, body["run"])
        if "token" in body:
            body["token"] = self._token(case, body["token"])

    def _token(self, case: schemathesis.Case, given: Any) -> Any:
        wait = (case.path_parameters or {}).get("waitId")
        tokens = self.values[f"token.{wait}"] if f"token.{wait}" in self.values else self.values["token"]
        return _one(tokens, given) if zlib.crc32(str(given).encode()) % 5 else given


def _valid(case: schemathesis.Case, place: str) -> bool:
    """Return whether the value was made to fit the document, in a request that leads to no other."""
    meta = case.meta
    if meta is None or meta.phase.name.value == "stateful":
        return False
    return all(part.mode.is_positive for where, part in meta.components.items() if where.value == place)


def _names(case: schemathesis.Case, place: str) -> set[str]:
    return {one["name"] for one in case.operation.definition.raw.get("parameters", ()) if one["in"] == place}


def _one(known: list[str], given: Any) -> str:
    return known[zlib.crc32(repr(given).encode()) % len(known)]


@contextmanager
def lived_in(database_url: str, redis_url: str, folder: Path) -> Iterator[tuple[ApiServer, LivedIn, dict[str, str]]]:
    """Return a server, its existing values, and two keys: one that may do everything, and one that may only read."""
    with Fleet(database_url, redis_url, folder) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        fleet.worker("w", slots=4)
        settings = {"TAXIWAY_SECRET_KEY": fleet.settings["TAXIWAY_SECRET_KEY"], "TAXIWAY_PRIVATE_PROVIDERS": "true"}
        api = ApiServer(database_url, redis_url, folder / "api.log", settings).start()
        try:
            keys = {"full": api.key(), "weak": api.key(scopes=("read",))}
            yield api, _furnish(api, fleet, keys["full"]), keys
        finally:
            api.stop()
    said = api.log.read_text()
    assert "api.fault" not in said, said[-5000:]


def _furnish(api: ApiServer, fleet: Fleet, key: str) -> LivedIn:
    with api.client(key) as client:
        standing = [one["id"] for one in client.get("/v1/keys").json()["keys"]]
        standing += [one["id"] for one in client.get("/v1/workers").json()["workers"]]
        values = {"agent": ["counts", "counts", *WAITING], "queue": ["default", "side"], "window": ["nights"]}
        values |= {"agents.name": ["spare"], "queues.name": ["side"], "windows.name": ["nights", "mornings"]}
        values |= {"schedules.name": ["daily"], "providers.name": ["bank"], "name": ["paid"]}
        made = [_made(client, "PUT", f"/v1/{kind}/{name}", body) for kind, name, body in (
            ("windows", "nights", {**CALENDAR, "duration": "PT23H"}), ("windows", "mornings", {**CALENDAR, "duration": 3600}),
            ("queues", "side", {"limit": 4}), ("schedules", "daily", {**CALENDAR, "run": {"agent": "counts"}}),
            ("providers", "bank", PROVIDER),
        )]  # fmt: skip
        assert made
        runs = {name: str(_made(client, "POST", "/v1/runs", {"agent": name})["runId"]) for name in ("counts", *WAITING)}
        waits = [client.get(f"/v1/runs/{runs[name]}/wait").json() for name in runs]
        values["runId"] = list(runs.values())
        values["waitId"], values["token"] = [], []
        for wait in (wait for run in waits for wait in (run["pause"] or {}).get("waits", ())):
            link = wait.get("approvalUrl") or wait.get("authUrl")
            if link:
                token = parse_qs(urlsplit(link).query)["token"][0]
                values["waitId"].append(wait["waitId"])
                values["token"].append(token)
                values[f"token.{wait['waitId']}"] = [token]
        keys = [_made(client, "POST", "/v1/keys", {"name": "victim", "scopes": ["read"]})["id"] for _ in range(20)]
        values["keyId"] = keys
        values["bulk"] = []
    values["workerId"] = [_victim(fleet) for _ in range(10)]
    return LivedIn(values, frozenset(standing))


def _made(client: httpx.Client, method: str, path: str, body: dict[str, Any]) -> Any:
    answer = client.request(method, path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


def _victim(fleet: Fleet) -> str:
    """Register a worker without a process, for a request to drain."""
    worker = new_id()
    workers.register(
        worker,
        name="victim",
        host="here",
        pid=1,
        queue="side",
        slots=1,
        liveness_key=liveness_key(worker),
        lease_s=3600,
    ).one(fleet.database)
    return str(worker)
