"""The sample agent over HTTP: the content of `make demo`, seen by a client."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterator
from importlib.metadata import distributions
from typing import Any

import pytest

from tests.system.live import Live


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack()) as live:
        yield live


def installed() -> set[str]:
    """Return the distributions of the environment that executes the tests, and the agents of this stack."""
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    return {canonical(found.metadata["Name"]) for found in distributions(path=sorted(folders))}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_licence_audit_lists_every_installed_distribution_with_one_finished_step_each(live: Live) -> None:
    run = live.enqueue("license_audit")
    seen = list(live.stream(run))
    ended = live.end(run)
    assert ended["status"] == "SUCCESS", ended["error"]

    names = [row["name"] for row in ended["result"]["json"]["distributions"]]
    assert {canonical(name) for name in names} == installed()
    assert len(names) == len(installed()) == ended["result"]["total"] > 60
    assert all(f"| {name} |" in ended["result"]["markdown"] for name in names)

    steps = live.http.get(f"/v1/runs/{run}/steps", params={"limit": 200}).json()["steps"]
    assert [step["name"] for step in steps] == [
        "collect",
        *(f"classify {name}" for name in sorted(names, key=canonical)),
        "report",
    ]
    assert {step["status"] for step in steps} == {"succeeded"}
    assert {step["attempts"] for step in steps} == {1}
    assert ended["stepsTotal"] == len(steps)
    assert ended["stepsFinished"] == steps[-200:]

    assert [seq for seq, _, _ in seen if seq is not None] == list(range(1, len(steps) + 4)), (
        "enqueue, start, steps, end"
    )
    assert [event for seq, event, _ in seen if seq is not None] == ["status", "start", *(["step"] * len(steps)), "end"]
    done = [data["done"] for _, event, data in seen if event == "progress"]
    assert done == sorted(done)
    assert len(done) > len(names) / 2, "a live view may miss some progress, never most of it"
    end = seen[-1][2]
    assert ("result" in end) != end.get("resultOmitted", False), "a large result is left out, and that is said"
    assert end.get("result", ended["result"]) == ended["result"]
