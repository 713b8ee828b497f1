"""Does a step of a duty as the scheduler's loop does, and gives what the duty did."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.duty import Done, Duty
from tests.postgres.duel import Connection


def do(duty: Duty, connection: Connection) -> Done:
    """Do one step; give its results as one. Each of them is there to be announced, so its transaction is over."""
    results, outside = [], connection.info.transaction_status
    for done in duty.step(connection):
        assert connection.info.transaction_status == outside, "nothing is announced before its commit"
        results.append(done)
    assert results, "every step says when the next one is due"
    return together(results)


def together(results: Iterable[Done]) -> Done:
    """Add results up; the time to wait is that of the last."""
    all_of = list(results)
    return Done(
        wait_s=all_of[-1].wait_s,
        events=[event for done in all_of for event in done.events],
        queues=[queue for done in all_of for queue in done.queues],
        workers=[worker for done in all_of for worker in done.workers],
        facts=[fact for done in all_of for fact in done.facts],
    )
