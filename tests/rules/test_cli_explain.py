"""`taxiway explain` shows on one screen why a run is not executing, and how to change that."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.rules.canned import KINDS, RUN_ID, WAIT_ID, Canned, Speaker
from tests.rules.command_line import Invoke

AT = "2026-03-01T09:30:00.000Z"


def _explained(*blockers: dict[str, Any], **more: Any) -> dict[str, Any]:
    base = {
        "runId": RUN_ID,
        "at": AT,
        "status": "QUEUED",
        "reason": None,
        "executing": False,
        "since": None,
        "worker": None,
    }
    return {**base, "stepInFlight": None, "controlRequest": None, "blockers": list(blockers), "omitted": 0, **more}


def _blocker(kind: str, detail: str = "It is so.", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "detail": detail, "since": None, "until": None, **more}


def _said(invoke: Invoke, answer: dict[str, Any]) -> list[str]:
    server = Canned(httpx.Response(200, json=answer))
    result = invoke(server, "explain", RUN_ID)
    assert result.exit_code == 0, result.output
    assert server.last.url.path == f"/v1/runs/{RUN_ID}/explain"
    return result.stdout.splitlines()


def test_every_blocker_is_a_paragraph_that_fits_eighty_columns(invoke: Invoke) -> None:
    long = "The key A7 has 1 place in the queue default, held by 01890000-0000-7000-8000-000000000009 (RUNNING); " * 2
    said = _said(invoke, _explained(_blocker("queue_paused", "The queue default is paused."), _blocker("key", long)))
    assert said[0] == f"Run {RUN_ID} is QUEUED and does not execute."
    assert said[2:4] == [" 1. queue_paused", "    The queue default is paused."]
    assert said[5] == " 2. key"
    assert len(said) > 8
    assert max(map(len, said)) <= 80


def test_times_are_told_with_how_far_they_are(invoke: Invoke) -> None:
    blocker = _blocker("window_closed", since="2026-03-01T09:29:00.000Z", until="2026-03-01T21:45:00.000Z")
    said = _said(invoke, _explained(blocker, _blocker("not_before", until="2026-03-04T12:30:00.000Z")))
    assert [line.partition("(")[2] for line in said if "(" in line] == [
        "1 min 0 s ago)",
        "in 12 h 15 min)",
        "in 3 d 3 h)",
    ]


@pytest.mark.parametrize(
    ("blocker", "command"),
    [
        (_blocker("held"), f"taxiway resume {RUN_ID}"),
        (_blocker("approval", waitId=WAIT_ID), f"taxiway approvals, then taxiway approve, deny or answer {WAIT_ID}"),
        (_blocker("signal", signal="a b"), f"taxiway signal {RUN_ID} 'a b' PAYLOAD"),
        (_blocker("capacity"), None),
        (_blocker("of a newer server"), None),
    ],
)
def test_the_command_that_ends_it_is_named(invoke: Invoke, blocker: dict[str, Any], command: str | None) -> None:
    said = [line.strip() for line in _said(invoke, _explained(blocker)) if "taxiway" in line]
    assert said == ([command] if command else [])


def test_a_run_that_executes_or_has_ended_has_nothing_but_that_to_tell(invoke: Invoke) -> None:
    executes = _explained(
        status="RUNNING", executing=True, since=AT, worker={"workerId": "w", "name": "w1"}, stepInFlight="fetch",
        controlRequest="cancel",
    )  # fmt: skip
    said = " ".join(_said(invoke, executes))
    assert "executes on w1 since" in said
    assert said.endswith("in step fetch. It was asked to stop.")
    ended = " ".join(_said(invoke, _explained(status="FAILED", reason="step_error", since=AT)))
    assert ended.startswith(f"Run {RUN_ID} has ended at ")
    assert ended.endswith(": FAILED (step_error).")


def test_a_run_that_executes_while_its_agent_waits_tells_both(invoke: Invoke) -> None:
    holder = {"kind": "timer", "what": "a timer of 1 s", "file": "/app/agents.py", "line": 12}
    waits = _blocker("approval", "A person must approve: Ship it?", waitId=WAIT_ID)
    slot = _blocker("slot_held", "Its agent is waiting but keeps its slot because of a timer.", slotHeldBy=[holder])
    base = {"status": "RUNNING", "executing": True, "since": AT, "worker": {"workerId": "w", "name": "w1"}}
    said = _said(invoke, _explained(waits, slot, **base))
    assert "executes on w1 since" in " ".join(said)
    assert " ".join(said).count("Its agent also waits:") == 1
    assert (" 1. approval" in said, " 2. slot_held" in said) == (True, True)
    assert any(WAIT_ID in line for line in said), "with the command that decides"
    assert "also waits" not in " ".join(_said(invoke, _explained(slot, **base)))


def test_of_very_many_waits_the_rest_is_counted_and_what_agents_wrote_is_made_safe(invoke: Invoke) -> None:
    said = _said(invoke, _explained(_blocker("approval", "Ship\x1b[2J it?"), omitted=4_900))
    assert said[-1] == "… and 4,900 more waits"
    assert "    Ship⟨U+001B⟩[2J it?" in said


@pytest.mark.parametrize("speak", KINDS)
def test_both_clients_give_an_explanation(speak: Speaker) -> None:
    answer = _explained(_blocker("rate", until=AT, limit=5, used=5), _blocker("capacity"))
    found = speak(Canned(httpx.Response(200, json=answer))).on_run("explain")
    assert ([blocker.kind for blocker in found.blockers], found.executing) == (["rate", "capacity"], False)
    assert found.blockers[0].until == found.at
    assert (found.blockers[0].raw["limit"], found.raw) == (5, answer)
