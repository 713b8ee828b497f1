"""The control of a run in each of its statuses, as one table: the answer, and the state of the run after it."""

from __future__ import annotations

import httpx
import pytest

from tests.system.fake_worker import FakeWorker
from tests.system.people import SETTINGS, decide, with_secret
from tests.system.run_states import SITUATIONS, TERMINAL

# action → (answer, status, kind of pause, what is recorded) afterwards
Row = dict[str, tuple[int, str, str | None, str | None]]
_ENDED = dict.fromkeys(("pause", "resume", "cancel", "delete", "signal"), (409, "", None, None))
_AT_ONCE = {"cancel": (200, "CANCELED", None, None), "delete": (200, "CANCELED", None, None)}
_EXECUTING: Row = {
    "cancel": (202, "RUNNING", None, "cancel"), "delete": (202, "RUNNING", None, "cancel"),
    "pause": (202, "RUNNING", None, "pause"), "resume": (409, "RUNNING", None, None), "signal": (202, "RUNNING", None, None),
}  # fmt: skip
TABLE: dict[str, Row] = {
    "QUEUED": {
        **_AT_ONCE, "pause": (200, "QUEUED", None, "pause"), "resume": (409, "QUEUED", None, None),
        "signal": (202, "QUEUED", None, None),
    },
    "RUNNING, executing": _EXECUTING,
    "RUNNING, asking": _EXECUTING,
    "RUNNING, own pause": {**_EXECUTING, "resume": (200, "RUNNING", None, None)},
    "RUNNING, listening": _EXECUTING,
    "RUNNING, ready": {
        **_AT_ONCE, "pause": (200, "PAUSED", "user", None), "resume": (409, "RUNNING", None, None),
        "signal": (202, "RUNNING", None, None),
    },
    "AUTH_REQUIRED": {
        **_AT_ONCE, "pause": (202, "AUTH_REQUIRED", "authorization", "pause"),
        "resume": (409, "AUTH_REQUIRED", "authorization", None), "signal": (202, "AUTH_REQUIRED", "authorization", None),
    },
    "PAUSED, approval": {
        **_AT_ONCE, "pause": (202, "PAUSED", "approval", "pause"), "resume": (409, "PAUSED", "approval", None),
        "signal": (202, "PAUSED", "approval", None),
    },
    "PAUSED, user": {
        **_AT_ONCE, "pause": (200, "PAUSED", "user", None), "resume": (200, "RUNNING", None, None),
        "signal": (202, "PAUSED", "user", None),
    },
    "PAUSED, agent": {
        **_AT_ONCE, "pause": (202, "PAUSED", "agent", "pause"), "resume": (409, "PAUSED", "agent", None),
        "signal": (202, "RUNNING", None, None),
    },
    "PAUSED, timer": {
        **_AT_ONCE, "pause": (202, "PAUSED", "agent", "pause"), "resume": (409, "PAUSED", "agent", None),
        "signal": (202, "PAUSED", "agent", None),
    },
    "PAUSED, own pause": {
        **_AT_ONCE, "pause": (202, "PAUSED", "agent", "pause"), "resume": (200, "RUNNING", None, None),
        "signal": (202, "PAUSED", "agent", None),
    },
    **dict.fromkeys(TERMINAL, _ENDED),
}  # fmt: skip
CELLS = [(situation, action) for situation, row in TABLE.items() for action in row]


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


def _do(client: httpx.Client, run: str, action: str) -> httpx.Response:
    if action == "delete":
        return client.delete(f"/v1/runs/{run}")
    return client.post(f"/v1/runs/{run}/{'signals/word' if action == 'signal' else action}")


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(SITUATIONS)
    assert {frozenset(row) for row in TABLE.values()} == {frozenset(_ENDED)}


@pytest.mark.parametrize(("situation", "action"), CELLS)
def test_what_an_action_does_in_each_status(
    acme: httpx.Client, fake_worker: FakeWorker, situation: str, action: str
) -> None:
    code, status, kind, recorded = TABLE[situation][action]
    run = SITUATIONS[situation](acme, fake_worker).run
    before = acme.get(f"/v1/runs/{run}").json()
    answer = _do(acme, run, action)
    after = acme.get(f"/v1/runs/{run}").json()
    assert answer.status_code == code, answer.text
    if situation in TERMINAL:
        assert (answer.json()["code"], after) == ("run_finished", before)
        return
    if code == 409:
        assert (answer.json()["code"], after) == ("illegal_move", before)
    shown = (after["status"], (after["pause"] or {}).get("kind"), after["controlRequest"])
    assert shown == (status, kind, recorded)


def test_a_pause_of_a_parked_run_takes_effect_when_it_is_decided_about(
    acme: httpx.Client, fake_worker: FakeWorker
) -> None:
    run_state = SITUATIONS["PAUSED, approval"](acme, fake_worker)
    assert acme.post(f"/v1/runs/{run_state.run}/pause").status_code == 202
    assert run_state.wait
    with with_secret():
        assert decide(acme, run_state.wait).status_code == 200
    run = acme.get(f"/v1/runs/{run_state.run}", params={"includeEvents": True}).json()
    assert (run["status"], run["pause"]["kind"], run["controlRequest"]) == ("PAUSED", "user", None)
    moved = [(event["verb"], event["to"]) for event in run["events"] if event.get("verb")][-2:]
    assert moved == [("resume", "RUNNING"), ("pause_by_user", "PAUSED")]
    assert acme.post(f"/v1/runs/{run_state.run}/resume").json()["status"] == "RUNNING"
