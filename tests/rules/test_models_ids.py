"""An id is a UUIDv7, so that its order is its age."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

from models.ids import liveness_key, new_id


def test_an_id_is_a_uuid_of_version_7_in_the_standard_type() -> None:
    made = new_id()

    assert type(made) is UUID
    assert (made.version, made.variant) == (7, RFC_4122)
    assert abs((made.int >> 80) - time.time() * 1000) < 5000


def test_ids_are_made_in_ascending_order_also_within_a_millisecond() -> None:
    made = [new_id() for _ in range(20_000)]

    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)


def test_threads_never_make_the_same_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [one for batch in pool.map(lambda _: [new_id() for _ in range(2000)], range(8)) for one in batch]

    assert len(set(made)) == 16_000


def test_a_worker_has_its_own_key_for_an_advisory_lock() -> None:
    workers = [new_id() for _ in range(1000)]
    keys = {liveness_key(worker) for worker in workers}

    assert len(keys) == 1000
    assert all(0 <= key < 2**63 for key in keys)
    assert liveness_key(workers[0]) == liveness_key(UUID(str(workers[0])))
