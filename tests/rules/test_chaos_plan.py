"""The seed of a chaos run alone decides its load and its faults."""

from __future__ import annotations

from itertools import islice

import pytest

from ops.chaos.__main__ import chosen
from ops.chaos.faults import FAULTS
from ops.chaos.orders import FAILING, Mix, expected, orders
from ops.chaos.schedule import rounds

MIX = Mix()


def test_the_same_seed_orders_the_same_runs_and_another_one_others() -> None:
    first, same, other = (list(islice(orders(seed, 0, MIX, "s"), 50)) for seed in (7, 7, 8))
    assert first == same
    assert [order.inputs for order in first] != [order.inputs for order in other]


def test_two_clients_of_one_seed_never_use_the_same_idempotency_key() -> None:
    keys = [order.key for client in range(3) for order in islice(orders(7, client, MIX, "s"), 50)]
    assert len(set(keys)) == len(keys)


def test_every_kind_of_load_comes_and_carries_the_secret() -> None:
    some = list(islice(orders(7, 0, MIX, "s"), 400))
    assert {order.agent for order in some} == set(MIX.weights) - {"patient"}
    assert all(given["secret"] == "s" for order in some for given in order.inputs)
    assert any(order.batch for order in some)
    assert any(order.cancel_after is not None for order in some)


def test_what_a_run_must_return_is_known_beforehand() -> None:
    assert expected("tiny", {"secret": "s"}) == ["0:s"]
    assert expected("sequence", {"steps": 2, "secret": "s"}) == ["0:s", "1:s"]
    assert expected("fan_out", {"items": 2, "secret": "s"}) == ["1000:s", "1001:s"]
    assert expected("family", {"children": 2, "millis": 0, "secret": "s"}) == ["0:s", "1:s", "2:s"]
    assert expected("flaky", {"times": 1, "secret": "s"}) == ["0:s", "s"]
    assert expected("flaky", {"times": FAILING, "secret": "s"}) is None


@pytest.mark.parametrize("lane", ["quick", "slow"])
def test_the_same_seed_strikes_the_same_faults_each_of_them_once_before_any_comes_by_chance(lane: str) -> None:
    mine = [fault for fault in FAULTS if fault.lane == lane]
    first, same, other = (list(islice(rounds(seed, lane, FAULTS, 5, 1), 2 * len(mine))) for seed in (7, 7, 8))
    assert first == same
    assert first != other
    assert {one.fault for one in first[: len(mine)]} == set(mine)


def test_a_fault_that_is_told_in_leases_lasts_longer_with_a_longer_lease() -> None:
    short, long = (max(one.hold for one in islice(rounds(7, "slow", FAULTS, lease, 1), 60)) for lease in (5, 15))
    assert 2 * short < long


def test_faults_are_chosen_by_name_and_every_name_is_used_once() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert [fault.name for fault in chosen("kill_host,flush_broker")] == ["kill_host", "flush_broker"]
    with pytest.raises(Exception, match="no such fault: kill_hosts"):
        chosen("kill_hosts")
