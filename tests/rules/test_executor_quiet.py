"""An outage of the broker logs one line at its begin and one at its end, however many attempts are between them."""

from __future__ import annotations

import logging
from pathlib import Path

from executor.log_filters import OncePerOutage


def _kept(*texts: str) -> list[str]:
    quiet = OncePerOutage()
    records = [logging.LogRecord("celery", logging.ERROR, __file__, 1, text, (), None) for text in texts]
    return [str(record.msg) for record in records if quiet.filter(record)]


def test_only_the_first_of_many_attempts_is_written() -> None:
    away, back, else_ = "consumer: Cannot connect to %s: %s.", "Connected to %s", "worker ready"
    assert _kept(away, away, else_, away, back, away, away) == [away, else_, back, away]


def test_advice_that_was_taken_already_is_not_repeated() -> None:
    advice = logging.LogRecord(
        "py.warnings", logging.WARNING, __file__, 1, "%s", ("x: CPendingDeprecationWarning: do",), None
    )
    other = logging.LogRecord("py.warnings", logging.WARNING, __file__, 1, "%s", ("x: UserWarning: do",), None)
    assert [OncePerOutage().filter(record) for record in (advice, other)] == [False, True]


def test_the_texts_are_those_of_celery() -> None:
    from celery.worker.consumer import connection, consumer  # noqa: PLC0415 - only this test needs them

    assert consumer.CONNECTION_ERROR.startswith("consumer: Cannot connect to")
    assert "'Connected to %s'" in Path(connection.__file__).read_text()
