"""Waiting for the result of a run: until its end, through outages, with growing pauses."""

from __future__ import annotations

import httpx
import pytest
from taxiway import client as api
from taxiway.client import backoff, waiting
from taxiway.client.backoff import Backoff

from tests.rules.canned import RUN_ID, Answer, Canned, Speaker, both, problem, run


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST", 0.0)
    monkeypatch.setattr(waiting, "PAUSES", (0.0,))


@both
def test_result_polls_until_the_run_has_ended(speak: Speaker) -> None:
    answers = [httpx.Response(202, json=run("RUNNING")), httpx.Response(200, json=run("SUCCESS", result={"n": 1}))]
    server = Canned(*answers)
    assert speak(server).on_run("result") == {"n": 1}
    assert [request.url.path for request in server.requests] == [f"/v1/runs/{RUN_ID}/wait"] * 2
    assert server.last.url.params["timeout"] == "25"


@both
def test_result_waits_for_a_server_that_is_away(speak: Speaker) -> None:
    away: list[Answer] = [httpx.ConnectError("refused"), problem(503, "unavailable", "The database is away.")]
    server = Canned(*away, httpx.Response(200, json=run("SUCCESS", result=5)))
    assert speak(server).on_run("result") == 5
    with pytest.raises(api.NotReachable):
        speak(Canned(httpx.ConnectError("refused"))).on_run("result", patience=0.0)


@both
def test_result_of_a_failed_run_says_code_message_and_step(speak: Speaker) -> None:
    error = {"code": "step_error", "type": "ValueError", "message": "no such file", "step": "read"}
    with pytest.raises(api.RunFailed) as caught:
        speak(Canned(httpx.Response(200, json=run("FAILED", error=error)))).on_run("result")
    assert (caught.value.code, caught.value.message, caught.value.step) == ("step_error", "no such file", "read")
    assert "in step read" in str(caught.value)


@both
def test_result_of_a_canceled_run_says_why(speak: Speaker) -> None:
    with pytest.raises(api.RunCanceled) as caught:
        speak(Canned(httpx.Response(200, json=run("CANCELED", reason="by_user")))).on_run("result")
    assert (caught.value.code, caught.value.step) == ("by_user", None)


@both
def test_result_gives_up_after_its_timeout(speak: Speaker) -> None:
    with pytest.raises(TimeoutError) as caught:
        speak(Canned(httpx.Response(200, json=run("PAUSED")))).on_run("result", timeout=0)
    assert isinstance(caught.value, api.NotFinished)
    assert "PAUSED" in str(caught.value)


def test_a_long_poll_never_asks_for_longer_than_is_left_and_pauses_when_answered_at_once() -> None:
    now = 0.0
    plan = waiting.until_finished(RUN_ID, 30.0, Backoff(None), clock=lambda: now)
    view = api.RunView.read(run("PAUSED"))
    asked: list[tuple[str, ...]] = []

    def drive() -> None:
        nonlocal now
        move = next(plan)
        while True:
            if isinstance(move, waiting.Pause):
                move = next(plan)
                continue
            asked.append((move.request.path.rpartition("/")[2], *(value for _, value in move.request.params)))
            now += 12.0 if len(asked) < 3 else 5.5
            move = plan.send(view)

    with pytest.raises(api.NotFinished):
        drive()
    assert asked == [("wait", "25"), ("wait", "18"), ("wait", "6"), (RUN_ID,), (RUN_ID,)]


def test_pauses_grow_while_a_parked_run_is_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSES", (0.5, 1.0, 2.0, 5.0))
    plan = waiting.until_finished(RUN_ID, None, Backoff(None), clock=lambda: 0.0)
    view = api.RunView.read(run("PAUSED"))
    next(plan)
    pauses = []
    for _ in range(6):
        pause = plan.send(view)
        assert isinstance(pause, waiting.Pause)
        pauses.append(pause.seconds)
        next(plan)
    assert pauses == [0.5, 1.0, 2.0, 5.0, 5.0, 5.0]


def test_back_off_grows_to_ten_seconds_and_starts_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST", 0.25)
    away = Backoff(None)
    waits = [away.after(api.NotReachable("away")) for _ in range(12)]
    assert all(0.5 * 0.25 * 2**n <= wait <= 0.25 * 2**n for n, wait in enumerate(waits[:5]))
    assert all(5.0 <= wait <= 10.0 for wait in waits[-3:])
    away.reset()
    assert away.after(api.NotReachable("away")) <= 0.25
