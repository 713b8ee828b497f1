"""Frames about children are assembled and checked before anything is stored; nothing that a host sends is trusted."""

from __future__ import annotations

from typing import Any

import pytest

from executor.activation import spawn_requests
from executor.activation.spawn_requests import SpawnRequests
from executor.errors import HostGone, Refused
from models.statement import Statement

FRAME = {
    "key": "spawn:echo##1", "name": "spawn:echo", "digest": "", "occurrence": 1, "agent": "echo", "queue": None,
    "priority": None, "timeoutMs": None, "inputs": ['{"n": 1}'], "more": False,
}  # fmt: skip


def _read(statement: Statement[Any]) -> list[Any]:
    sql, name = statement.sql, statement.params.get("name")
    if sql == spawn_requests.AGENT:
        return [statement.into(queue="default", timeout_ms=5)] if name == "echo" else []
    if sql == spawn_requests.QUEUE:
        return [name] if name in ("default", "other") else []
    return ["echo"] if sql == spawn_requests.AGENTS else ["default", "other"]


@pytest.fixture
def nursery() -> SpawnRequests:
    return SpawnRequests(_read, 1000)


def test_a_call_becomes_a_step_and_its_children(nursery: SpawnRequests) -> None:
    taken = nursery.take({**FRAME, "queue": "other", "priority": 7, "timeoutMs": 9, "inputs": ['{"n": 1}', " {}"]})
    assert taken is not None
    record, born = taken
    assert record.value == f'["{born[0].id}", "{born[1].id}"]'
    assert [(child.queue, child.priority, child.timeout_ms, child.parent_key) for child in born] == [
        ("other", 7, 9, "spawn:echo##1/0"), ("other", 7, 9, "spawn:echo##1/1"),
    ]  # fmt: skip
    own = nursery.take(FRAME)
    assert own is not None
    assert (own[1][0].queue, own[1][0].timeout_ms) == ("default", 5)


def test_what_comes_in_pieces_is_put_together_by_its_key(nursery: SpawnRequests) -> None:
    for key in ("a##1", "b##1"):
        assert nursery.take({"key": key, "inputs": [f'{{"k": "{key}"}}'], "more": True}) is None
    taken = nursery.take({**FRAME, "key": "a##1"})
    assert taken is not None
    assert [child.input for child in taken[1]] == ['{"k": "a##1"}', '{"n": 1}']


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"agent": "ech"}, "unknown_agent"),
        ({"queue": "nowhere"}, "unknown_queue"),
        ({"inputs": ['{"n": NaN}']}, "invalid_output"),
        ({"inputs": ['{"n": "\\u0000"}']}, "invalid_output"),
        ({"inputs": ['{"n": ']}, "invalid_output"),
        ({"inputs": [7]}, "invalid_output"),
        ({"inputs": [f'{{"n": "{"x" * 1000}"}}']}, "output_too_large"),
        ({"inputs": ["{}"] * 5001}, "output_too_large"),
    ],
)
def test_what_cannot_be_started_is_refused_with_its_code(
    nursery: SpawnRequests, changed: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        nursery.take({**FRAME, **changed})
    assert refused.value.code == code


@pytest.mark.parametrize(
    "changed",
    [
        {"inputs": []}, {"inputs": ["[1]"]}, {"inputs": None}, {"priority": 101}, {"priority": "high"}, {"timeoutMs": 0},
        {"timeoutMs": 1 << 60}, {"agent": None}, {"agent": "x" * 501}, {"key": 7}, {"occurrence": "first"}, {"queue": 7},
    ],
)  # fmt: skip
def test_a_malformed_frame_is_an_error_that_ends_its_host(nursery: SpawnRequests, changed: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        nursery.take({**FRAME, **changed})
    for name in ("key", "inputs", "more", "agent", "occurrence"):
        with pytest.raises(KeyError):
            nursery.take({field: value for field, value in FRAME.items() if field != name})


def test_a_host_cannot_fill_the_memory_of_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn_requests, "MOST_BYTES", 2000)
    nursery = SpawnRequests(_read, 1000)

    def fill() -> None:
        for n in range(1000):
            nursery.take({"key": f"k{n}", "inputs": ["{}"], "more": True})

    with pytest.raises(HostGone):
        fill()
