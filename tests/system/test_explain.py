"""An explanation is right: its blockers hold the run, and nothing else does. Removing just them starts the run.

Each run is held by one thing, in a working system. Then explain names only that, and a run beside it that is not held
continues. After the removal of that one thing, by its call or in its row, the run succeeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.system.explaining import (
    ALWAYS,
    closing,
    done,
    executes,
    goes,
    kinds,
    later,
    named,
    post,
    put,
    two_queues,
)
from tests.system.live import Live


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with two_queues(stack) as live:
        yield live


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "there"


# ----------------------------------------------------------------------------------------- what people did to the run
def test_a_run_that_was_held(live: Live) -> None:
    closing(live, "queues/default", paused=True)
    run = live.enqueue("quick")
    post(live, f"runs/{run}/pause", reason="prices")
    put(live, "queues/default", paused=False)
    [blocker] = named(live, run, "held")
    assert (blocker["by"] is not None, blocker["comment"]) == (True, "prices")
    post(live, f"runs/{run}/resume")
    goes(live, run)


def test_a_run_that_a_user_paused(live: Live, file: Path) -> None:
    run = live.enqueue("stepping", {"until": str(file)})
    executes(live, run)
    post(live, f"runs/{run}/pause")
    [blocker] = named(live, run, "pause")
    assert blocker["pausedBy"] == "user"
    file.touch()
    assert kinds(live, run) == ["pause"]
    post(live, f"runs/{run}/resume")
    goes(live, run)


# ---------------------------------------------------------------------------------------------------- what it waits for
def _approve(live: Live, run: str, blocker: dict[str, Any]) -> None:
    post(live, f"approvals/{blocker['waitId']}", decision="approve")


def _authorize(live: Live, run: str, blocker: dict[str, Any]) -> None:
    [wait] = live.run(run)["pause"]["waits"]
    token = parse_qs(urlsplit(wait["authUrl"]).query)["token"][0]
    post(live, f"auth/{blocker['waitId']}/complete", token=token, outcome="authorized")


def _send(live: Live, run: str, blocker: dict[str, Any]) -> None:
    post(live, f"runs/{run}/signals/{blocker['signal']}", payload=1)


def _resume(live: Live, run: str, _: dict[str, Any]) -> None:
    post(live, f"runs/{run}/resume")


def _elapse(live: Live, _: str, blocker: dict[str, Any]) -> None:
    assert blocker["until"]
    done(live, "UPDATE wait SET due_at = now() WHERE id = %s", blocker["waitId"])


ENDINGS: dict[str, Callable[[Live, str, dict[str, Any]], None]] = {
    "approval": _approve,
    "authorization": _authorize,
    "signal": _send,
    "pause": _resume,
    "timer": _elapse,
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_run_that_waits(live: Live, kind: str) -> None:
    run = live.enqueue("waiting", {"what": kind})
    [blocker] = named(live, run, kind)
    ENDINGS[kind](live, run, blocker)
    goes(live, run)


def test_a_run_that_waits_for_its_child(live: Live, file: Path) -> None:
    run = live.enqueue("parent", {"until": str(file)})
    [blocker] = named(live, run, "child")
    [child] = blocker["runs"]
    executes(live, child["runId"])
    file.touch()
    goes(live, run)


def test_a_run_whose_code_was_changed(live: Live, file: Path) -> None:
    file.write_text("a")
    run = live.enqueue("changed", {"code": str(file)})
    named(live, run, "signal")
    file.write_text("b")
    post(live, f"runs/{run}/signals/paid")
    named(live, run, "code_mismatch")
    file.write_text("a")
    post(live, f"runs/{run}/resume")
    goes(live, run)


def test_a_run_that_was_parked_because_its_window_closed(live: Live, file: Path) -> None:
    put(live, "windows/shift", **ALWAYS, onClose="pause")
    run = live.enqueue("stepping", {"until": str(file)}, window="shift")
    executes(live, run)
    post(live, "windows/shift/override", state="closed", until=later())
    [blocker] = named(live, run, "window_wait")
    assert blocker["window"] == "shift"
    file.touch()
    assert live.http.delete("/v1/windows/shift/override").status_code == 200
    goes(live, run)


# ------------------------------------------------------------------------------------------------------- what holds many
GATES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "queue_paused": ("queues/default", {"paused": True}, {"paused": False}),
    "queue_cordoned": ("queues/default", {"cordoned": True}, {"cordoned": False}),
    "agent_paused": ("agents/stepping", {"paused": True}, {"paused": False}),
}


@pytest.mark.parametrize("kind", GATES)
def test_a_run_of_what_is_paused(live: Live, file: Path, kind: str) -> None:
    path, closed, opened = GATES[kind]
    closing(live, path, **closed)
    file.touch()
    run = live.enqueue("stepping", {"until": str(file)})
    named(live, run, kind)
    put(live, path, **opened)
    goes(live, run)


def test_a_cordon_lets_a_run_go_on_that_had_started(live: Live) -> None:
    run = live.enqueue("waiting", {"what": "signal"})
    named(live, run, "signal")
    closing(live, "queues/default", cordoned=True)
    try:
        post(live, f"runs/{run}/signals/paid")
        goes(live, run)
    finally:
        put(live, "queues/default", cordoned=False)


@pytest.mark.parametrize("through", ["run", "queue", "agent"])
def test_a_run_behind_a_closed_window(live: Live, through: str) -> None:
    closing(live, "windows/never", **ALWAYS, kind="blackout")
    gate = {"queue": "queues/default", "agent": "agents/waiting"}.get(through)
    if gate:
        closing(live, gate, window="never")
    run = live.enqueue("waiting", {"what": "nothing"}, **({} if gate else {"window": "never"}))
    try:
        [blocker] = named(live, run, "window_closed")
        assert (blocker["window"], blocker["through"]) == ("never", [through])
        post(live, "windows/never/override", state="open", until=later())
        goes(live, run)
    finally:
        live.http.delete("/v1/windows/never/override")
        if gate:
            put(live, gate, window=None)


# ------------------------------------------------------------------------------------------------ what it waits its turn for
def test_a_run_before_its_time(live: Live) -> None:
    run = live.enqueue("quick", notBefore=later())
    [blocker] = named(live, run, "not_before")
    assert blocker["until"] == live.run(run)["notBefore"]
    done(live, "UPDATE run SET blocked_until = now() WHERE id = %s", run)
    goes(live, run)


def test_a_run_of_a_schedule_whose_run_before_goes_on(live: Live, file: Path) -> None:
    put(
        live, "schedules/nightly", cron="0 2 29 2 *", timezone="UTC", overlap="queue", catchUp="last",
        run={"agent": "held", "input": {"until": str(file)}},
    )  # fmt: skip
    runs: list[str] = []
    for n in (1, 2):
        done(live, "UPDATE schedule SET next_at = now() WHERE name = 'nightly'")
        live.until(lambda n=n: len(_fired(live)) == n, "it fired")
        runs = _fired(live)
    first, second = runs
    executes(live, first)
    [blocker] = named(live, second, "overlap")
    assert blocker["runs"] == [{"runId": first, "status": "RUNNING"}]
    assert live.http.delete(f"/v1/runs/{blocker['runs'][0]['runId']}").status_code in (200, 202)
    executes(live, second)
    file.touch()
    goes(live, second)


def _fired(live: Live) -> list[str]:
    shown = live.http.get("/v1/schedules/nightly").json()
    return [firing["runId"] for firing in reversed(shown["firings"])]
