"""Values that cannot be recorded: a clear error for their run, no harm for any other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.live import AGENTS, Live

BAD = {
    "nan": ("invalid_output", "$.rows[1].price"),
    "infinity": ("invalid_output", "$[0]"),
    "nul": ("invalid_output", "$.scraped.text"),
    "surrogate": ("invalid_output", "$.emoji"),
    "set": ("invalid_output", "$.tags"),
    "object": ("invalid_output", "$[0]"),
    "key": ("invalid_output", "$.counts"),
    "large": ("output_too_large", "1,048,576"),
}


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "values.py"))) as live:
        yield live


def test_bad_step_values_fail_their_own_runs_with_step_and_place_and_harm_no_other(live: Live) -> None:
    bad, good = {}, {}
    for number, what in enumerate(list(BAD) * 5):
        bad[live.enqueue("produces", {"what": what})] = what
        if number % 2:
            good[live.enqueue("harmless", {"number": number})] = 2.0 * number
    assert len(good) == 20
    ended = live.end_all([*bad, *good], 60)
    for run, what in bad.items():
        code, place = BAD[what]
        shown = ended[run]
        assert shown["status"] == "FAILED", what
        assert shown["error"]["code"] == code
        assert shown["reason"] == code
        assert shown["error"]["step"] == "produce"
        assert shown["error"]["attempts"] == 1, "what is wrong with a value is wrong again"
        assert place in shown["error"]["message"]
        assert [(step["name"], step["status"]) for step in shown["stepsFinished"]] == [("produce", "failed")]
        assert shown["crashes"] == 0
    for run, product in good.items():
        shown = ended[run]
        assert (shown["status"], shown["result"], shown["activations"], shown["crashes"]) == ("SUCCESS", product, 1, 0)


def test_an_agent_may_catch_the_error_of_a_bad_value_and_go_on(live: Live) -> None:
    ended = live.end(live.enqueue("catches", {"what": "nul"}))
    assert ended["status"] == "SUCCESS"
    assert ended["result"].startswith("StepFailed: step 'produce' failed")
    assert "$.scraped.text" in ended["result"]


@pytest.mark.parametrize("what", BAD)
def test_a_bad_result_fails_its_run_and_says_where_it_is_bad(live: Live, what: str) -> None:
    code, place = BAD[what]
    ended = live.end(live.enqueue("returns", {"what": what}))
    assert (ended["status"], ended["reason"], ended["result"]) == ("FAILED", code, None)
    assert ended["error"]["code"] == code
    assert place in ended["error"]["message"]
    assert ended["crashes"] == 0


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"number": "seven"}, "input.number"),
        ({"number": 7, "factor": "much"}, "input.factor"),
        ({}, "input.number"),
        ({"number": 7, "colour": "red"}, "input.colour"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_at_the_door_by_field(live: Live, given: Any, field: str) -> None:
    with live.connect() as connection:
        before = connection.execute("SELECT count(*) FROM run").fetchone()
        answer = live.http.post("/v1/runs", json={"agent": "harmless", "input": given})
        after = connection.execute("SELECT count(*) FROM run").fetchone()
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert before == after
