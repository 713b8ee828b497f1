"""A filter of runs is written and read back with nothing lost, added or widened."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from models.ids import earliest, new_id
from models.runs.run_filter import Label, RunFilter
from models.runtime.settings import Settings
from scheduler import __main__ as process
from scheduler.duties.bulk import Bulks
from scheduler.duties.retention import Retention
from scheduler.promotion.publisher import Publisher

AT = datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)
EACH: list[dict[str, Any]] = [
    {"status": ["QUEUED", "PAUSED"]}, {"category": "paused"}, {"agent": "a"}, {"queue": "q"}, {"user_id": "u"},
    {"parent": UUID(int=7)}, {"labels": [Label("tag", "t"), Label("metadata", "k", "")]}, {"created_after": AT},
    {"created_before": AT},
]  # fmt: skip


@pytest.mark.parametrize("given", [*EACH, {name: value for one in EACH for name, value in one.items()}])
def test_what_is_written_as_json_reads_the_same(given: dict[str, Any]) -> None:
    wanted = RunFilter("acme", **given)
    document = json.loads(json.dumps(wanted.document()))
    read = RunFilter.read("acme", document)
    assert (read.condition(), read.bounds(), read.document()) == (wanted.condition(), wanted.bounds(), document)
    assert not wanted.is_anything


@pytest.mark.parametrize("given", EACH)
def test_each_criterion_is_a_condition_of_its_own_beside_the_tenant(given: dict[str, Any]) -> None:
    bare, _ = RunFilter("acme").condition()
    sql, params = RunFilter("acme", **given).condition()
    assert sql.startswith(f"{bare}\n    AND ")
    assert params["tenant"] == "acme"
    assert all(f"%({name})s" in sql for name in params)


def test_an_empty_word_is_a_criterion_and_an_empty_list_is_none() -> None:
    assert "user_id" in RunFilter("acme", user_id="").condition()[0]
    assert not RunFilter("acme", user_id="").is_anything
    assert RunFilter("acme", status=[], labels=[]).is_anything
    assert RunFilter("acme").document() == {}


def test_no_value_gets_into_the_text_of_a_condition() -> None:
    hostile = "'; DROP TABLE run; --%(x)s"
    labels = [Label("tag", hostile), Label("metadata", hostile, hostile)]
    sql, _ = RunFilter(hostile, [hostile], None, hostile, hostile, hostile, None, labels).condition(one_by_one=True)
    assert "DROP" not in sql


def test_the_bounds_hold_for_clocks_that_are_a_day_apart() -> None:
    now = datetime.now(UTC)
    run, day = new_id(), timedelta(hours=23)
    for after, before in ((now + day, None), (None, now - day), (now - day, now + day)):
        first, last = RunFilter("acme", created_after=after, created_before=before).bounds()
        assert first <= run <= last
    assert not RunFilter("acme", created_after=now + 2 * day).bounds()[0] <= run
    assert earliest(datetime(1970, 1, 1, tzinfo=UTC)) == UUID(int=0)


@pytest.mark.parametrize("days", [None, 30])
def test_the_scheduler_forgets_runs_only_where_that_was_asked_for(days: int | None) -> None:
    publisher = cast(Publisher, SimpleNamespace(publish=None))
    duties = process._duties(Settings(retention_days=days), publisher)
    assert [type(duty) for duty in duties].count(Bulks) == 1
    assert [type(duty) for duty in duties].count(Retention) == (0 if days is None else 1)
