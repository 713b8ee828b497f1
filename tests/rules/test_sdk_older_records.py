"""Records of the previous version, with other keys and digests, are found and interpreted correctly."""

from __future__ import annotations

import pytest
from taxiway.identity import arguments_digest
from taxiway.ledger import Ledger, Recorded, Status
from taxiway.waits import Settled

OLD = arguments_digest(("a",), {})


def _ledger(*keys: str, waits: tuple[str, ...] = ()) -> Ledger:
    records = [Recorded(key, "work", Status.SUCCEEDED, 1, "1", None, False, digest=OLD) for key in keys]
    return Ledger(records, [Settled(key, "received") for key in waits])


def test_arguments_have_the_digest_that_the_version_before_gave_them() -> None:
    assert arguments_digest(("first0",), {}) == "d0bb7ba158f4b361"
    assert arguments_digest(("first", 1), {"b": 2}) == "be2312cddf493e3d"


def test_a_call_that_was_recorded_by_an_older_key_has_the_arguments_that_were_recorded() -> None:
    ledger = _ledger(f"work#{OLD}#1")
    call = ledger.call("work", "another 'a'", "0.1", lambda: OLD)
    record = ledger.take(call.key)
    assert record is not None
    assert record.has_arguments(call.digest)
    assert (call.key, call.occurrence) == (f"work#{OLD}#1", 1)


def test_equal_calls_take_older_records_first_and_then_have_keys_of_their_own() -> None:
    ledger = _ledger(f"work#{OLD}#1", f"work#{OLD}#2")
    calls = [ledger.call("work", "another 'a'", "0", lambda: OLD) for _ in range(3)]
    assert [call.key for call in calls] == [f"work#{OLD}#1", f"work#{OLD}#2", "work@0#3"]
    assert [call.digest.partition(" ")[0] for call in calls] == [OLD, OLD, "another"]


def test_a_record_of_this_version_is_preferred_to_an_older_one() -> None:
    ledger = _ledger(f"work#{OLD}#1", "work@0#1")
    assert ledger.call("work", "another 'a'", "0", lambda: OLD).key == "work@0#1"


def test_an_older_wait_is_found_from_any_task() -> None:
    ledger = _ledger(waits=("wait:signal#word#1",))
    assert ledger.wait_key("wait:signal", "word", "0.2") == "wait:signal#word#1"
    assert ledger.wait_key("wait:signal", "word", "0.3") == "wait:signal@0.3#1/word"


@pytest.mark.parametrize("beside", ["tool", "lost 1", "retry 2"])
@pytest.mark.parametrize("path", [None, "0.1"])
def test_a_step_that_only_a_wait_beside_it_tells_of_keeps_the_key_by_which_that_knows_it(
    beside: str, path: str | None
) -> None:
    """Otherwise people would be asked again about a tool that they have approved."""
    ledger = _ledger(waits=(f"{beside}:work#{OLD}#1",))
    calls = [ledger.call("work", "another 'a'", path, lambda: OLD) for _ in range(2)]
    assert [call.key for call in calls] == [f"work#{OLD}#1", "work#another#2" if path is None else "work@0.1#2"]


def test_a_wait_beside_a_step_of_this_version_is_preferred_to_an_older_one() -> None:
    ledger = _ledger(waits=(f"tool:work#{OLD}#1", "tool:work@0#1"))
    assert ledger.call("work", "another 'a'", "0", lambda: OLD).key == "work@0#1"
