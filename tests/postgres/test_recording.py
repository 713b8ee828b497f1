"""Each item of an activation is recorded once, within the run's limits, and a finished step is never overwritten."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from models import moves
from models.lifecycle import Reason, Verb
from models.runs import recording
from models.runs.recording import Limits, LogLine, StepRecord
from models.runtime.database import Row
from tests.postgres.calls import ERROR, LIMITS, MOVES, fence, record
from tests.postgres.factory import Made, World


@pytest.fixture
def made(world: World) -> Made:
    return world.run("executing")


def _steps(world: World, made: Made) -> list[Row]:
    return world.whole(made.id)["step"]


def _record(world: World, made: Made, n: int, step: StepRecord, limits: Limits = LIMITS) -> Row | None:
    return recording.step(fence(made), n, step, limits, "next##1").one(world.connection)


def test_a_step_is_a_row_an_event_and_progress_on_the_run(world: World, made: Made) -> None:
    answer = _record(world, made, 1, record(value='{"a":  [1]}', attempts=2, duration_ms=1500))

    [step], run = _steps(world, made), world.row(made.id)
    assert (step["status"], step["value"], step["error"], step["attempts"]) == ("succeeded", {"a": [1]}, None, 2)
    assert (step["finished_at"] - step["started_at"]).total_seconds() == 1.5
    assert (run["step_count"], run["recorded_bytes"], run["recorded_n"], run["seq"]) == (1, 11, 1, 3)
    assert (run["step_in_flight"], step["seq"]) == ("next##1", 3)
    event = world.events(made.id)[-1]
    assert answer is not None
    assert {name: answer[name] for name in event} == event
    assert (event["type"], event["verb"], event["status"]) == ("step", None, "RUNNING")
    told = {"key": "a##1", "name": "a", "status": "succeeded", "attempts": 2, "durationMs": 1500}
    assert event["data"] == {"step": told}


def test_a_value_is_kept_as_the_text_that_came(world: World, made: Made) -> None:
    text = '{"b": 1,   "a": 1e2, "b": 2}'
    assert _record(world, made, 1, record(value=text)) is not None

    row = world.connection.execute("SELECT value::text AS text FROM step WHERE run_id = %s", [made.id]).fetchone()
    assert row == {"text": text}


def test_the_same_item_sent_twice_is_recorded_once(world: World, made: Made) -> None:
    assert _record(world, made, 1, record()) is not None
    before = world.whole(made.id)

    assert _record(world, made, 1, record()) is None
    assert recording.event(fence(made), 1, "agent", "{}", None).one(world.connection) is None
    assert world.whole(made.id) == before
    kept = world.connection.execute(recording.FENCED, {"run": made.id}).fetchone()
    assert kept is not None
    assert (kept["epoch"], kept["lease_worker"], kept["recorded_n"]) == (made.epoch, made.worker, 1)


def test_an_item_that_comes_after_a_later_one_is_not_recorded(world: World, made: Made) -> None:
    """The row keeps one number, so the items of an activation must arrive in their order, by whatever connection."""
    assert _record(world, made, 2, record("b##1")) is not None
    before = world.whole(made.id)

    assert _record(world, made, 1, record()) is None
    assert world.whole(made.id) == before


def test_the_next_activation_counts_its_items_anew(world: World) -> None:
    made = world.run("promoted", recorded_n=40)
    assert MOVES["claim"](made).one(world.connection) is not None

    assert _record(world, made, 1, record()) is not None


@pytest.mark.parametrize(
    ("columns", "status", "recorded"),
    [
        ({"step_count": 99}, "succeeded", True),
        ({"step_count": 100}, "succeeded", False),
        ({"step_count": 100}, "failed", False),
        ({"step_count": 100}, "retrying", True),  # an attempt is not a step
        ({"recorded_bytes": 9_995}, "succeeded", True),
        ({"recorded_bytes": 9_996}, "succeeded", False),
    ],
)
def test_a_run_records_up_to_its_limits_and_beyond_them_nothing(
    world: World, columns: dict[str, Any], status: str, recorded: bool
) -> None:
    made = world.run("executing", **columns)
    before = world.whole(made.id)
    step = record(status=status, **({"value": '"abc"'} if status == "succeeded" else {}))

    assert (_record(world, made, 1, step) is not None) is recorded
    assert (world.whole(made.id) != before) is recorded


def test_what_is_recorded_is_counted_in_bytes(world: World, made: Made) -> None:
    assert _record(world, made, 1, record(value='"ää🛩"')) is not None
    lines = [LogLine("agent", "info", "ä"), LogLine("stdout", "info", "x")]
    assert recording.log(fence(made), lines).one(world.connection) is not None

    row = world.row(made.id)
    assert (row["recorded_bytes"], row["log_bytes"]) == (10, 3)


@pytest.mark.parametrize("finished", ["succeeded", "failed"])
@pytest.mark.parametrize("later", ["succeeded", "failed", "retrying", "intended"])
def test_a_finished_step_is_never_overwritten(world: World, made: Made, finished: str, later: str) -> None:
    assert _record(world, made, 1, record(status=finished)) is not None
    before = world.whole(made.id)

    with pytest.raises(psycopg.DatabaseError, match="finished before") as refused:
        _record(world, made, 2, record(status=later, name="other"))
    assert refused.value.sqlstate == recording.STEP_FINISHED
    assert world.whole(made.id) == before


@pytest.mark.parametrize("earlier", ["retrying", "intended"])
@pytest.mark.parametrize("later", ["succeeded", "failed", "retrying"])
def test_an_unfinished_step_goes_on(world: World, made: Made, earlier: str, later: str) -> None:
    assert _record(world, made, 1, record(status=earlier)) is not None
    assert world.row(made.id)["step_count"] == 0
    assert _record(world, made, 2, record(status=later, attempts=2)) is not None

    [step], run = _steps(world, made), world.row(made.id)
    assert (step["status"], step["attempts"], step["seq"]) == (later, 2, 4)
    assert (step["finished_at"] is not None) == (later != "retrying")
    assert (step["value"], step["error"] is None) == ((1, True) if later == "succeeded" else (None, False))
    assert run["step_count"] == int(later != "retrying")
    assert [event["data"]["step"]["status"] for event in world.events(made.id)[-2:]] == [earlier, later]


STRANGE = [
    r'"\u0000"',
    r'{"\u0000": "a\u0000b"}',
    r'"\ud800"',
    r'"\udc00\ud800"',
    '"\\u001f\u2028\ufeff\U0010ffff"',
    "1e999",
    "null",
]


@pytest.mark.parametrize("text", STRANGE)
def test_strange_texts_in_json_are_kept_and_harm_nobody(world: World, made: Made, text: str) -> None:
    assert _record(world, made, 1, record(value=text)) is not None
    assert _record(world, made, 2, record("b##1", "failed", error=f'{{"message": {text}}}')) is not None
    event = recording.event(fence(made), 3, "agent", f'{{"type": "x", "data": {text}}}', None).one(world.connection)
    assert event is not None

    row = world.connection.execute("SELECT value::text AS text FROM step WHERE run_id = %s AND key = 'a##1'", [made.id])
    assert row.fetchone() == {"text": text}


@pytest.mark.parametrize("text", [r'"\u0000"', r'"\ud800"'])
def test_strange_texts_pass_as_result_and_error(world: World, text: str) -> None:

    for name in ("succeed", "fail", "release"):
        made = world.run("executing", crashes=2)
        at = (made.id, made.epoch, made.worker)
        statement = {
            "succeed": moves.succeed(*at, n=1, result=text, active_ms=1),
            "fail": moves.fail(*at, n=1, reason="agent_error", error=text, active_ms=1),
            "release": moves.release(*at, verb=Verb.RECOVER, reason=Reason.HOST_LOST, error=text),
        }[name]
        assert statement.one(world.connection) is not None, name


@pytest.mark.parametrize("text", ["NaN", "{", "", "'x'", '"\x00"'])
def test_what_is_no_json_is_refused_and_nothing_is_recorded(world: World, made: Made, text: str) -> None:
    before = world.whole(made.id)
    with pytest.raises(psycopg.DataError):
        _record(world, made, 1, record(value=text))
    assert world.whole(made.id) == before


def test_a_bad_item_takes_its_transaction_with_it_and_the_others_are_recorded_alone(world: World) -> None:
    good, bad = world.run("executing"), world.run("executing")
    items = [(good, record()), (bad, record(value="NaN"))]
    with pytest.raises(psycopg.DataError), world.connection.transaction():  # noqa: PT012  the group is the point
        for made, step in items:
            _record(world, made, 1, step)
    assert _steps(world, good) == []

    assert _record(world, good, 1, record()) is not None


def test_items_of_one_transaction_take_following_places(world: World, made: Made) -> None:
    with world.connection.transaction():
        steps = [_record(world, made, n, record(f"s##{n}")) for n in range(1, 6)]
        event = recording.event(fence(made), 6, "progress", '{"done": 5}', None).one(world.connection)

    assert event is not None
    assert [*(step["seq"] for step in steps if step), event.seq] == [3, 4, 5, 6, 7, 8]
    assert [event["seq"] for event in world.events(made.id)] == list(range(1, 9))


def test_an_event_of_the_agent_changes_nothing_but_its_place(world: World, made: Made) -> None:
    before = world.row(made.id)
    answer = recording.event(fence(made), 1, "agent", '{"type": "x"}', "a##1").one(world.connection)

    after = world.row(made.id)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"seq", "recorded_n", "step_in_flight", "updated_at"}
    assert answer is not None
    assert (answer.seq, answer.type, answer.data, answer.status) == (3, "agent", {"type": "x"}, "RUNNING")


def test_the_step_in_flight_takes_no_place(world: World, made: Made) -> None:
    assert recording.in_flight(fence(made), "a##1").one(world.connection) is not None
    assert world.row(made.id)["step_in_flight"] == "a##1"
    assert recording.in_flight(fence(made), None).one(world.connection) is not None

    row = world.row(made.id)
    assert (row["step_in_flight"], row["seq"], row["recorded_n"]) == (None, 2, 0)


def test_log_lines_are_numbered_on_from_what_was_logged_before(world: World, made: Made) -> None:
    assert recording.log(fence(made), [LogLine("agent", "info", "one")]).one(world.connection) is not None
    more = [LogLine("stdout", "info", "two"), LogLine("agent", "error", "three", "a##1", 2)]
    assert recording.log(fence(made), more).one(world.connection) is not None

    kept = [
        (row["n"], row["source"], row["level"], row["message"], row["step"], row["attempt"])
        for row in _log(world, made)
    ]
    assert kept == [
        (1, "agent", "info", "one", None, None),
        (2, "stdout", "info", "two", None, None),
        (3, "agent", "error", "three", "a##1", 2),
    ]
    row = world.row(made.id)
    assert (row["log_lines"], row["log_bytes"], row["seq"]) == (3, 11, 2)


def _log(world: World, made: Made) -> list[Row]:
    return world.connection.execute("SELECT * FROM log WHERE run_id = %s ORDER BY n", [made.id]).fetchall()


def test_no_lines_are_no_error(world: World, made: Made) -> None:
    assert recording.log(fence(made), []).one(world.connection) is not None
    assert _log(world, made) == []


def test_an_error_that_names_no_step_is_kept_too(world: World, made: Made) -> None:
    assert _record(world, made, 1, record("c##1", "failed", error=ERROR, duration_ms=None)) is not None

    [step] = _steps(world, made)
    assert step["started_at"] == step["finished_at"]
    assert "durationMs" not in world.events(made.id)[-1]["data"]["step"]
