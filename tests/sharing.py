"""Order and distribution of the tests: the longest first, and whole systems one at a time of each kind.

Two stacks at a time would disturb each other's clocks, and so would two fleets. Handed out file by file they would wait for
each other. So the tests of all stacks belong to one process of the run, those of all fleets to another, and the rest to
whichever process is free.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"stacks": re.compile(r"\bstack: "), "fleets": re.compile(r"\bfleet_of\(|\bone_process_at_a_time\(")}
LONGEST = (
    "tests/system/test_openapi_requests.py", "tests/processes/test_ops_up.py", "tests/system/test_api_half_requests.py",
    "tests/system/test_links_refuse.py", "tests/rules/test_sdk_any_value.py", "tests/postgres/test_any_limits.py",
    "tests/postgres/test_every_order.py", "tests/postgres/test_upgrade.py", "tests/system/test_api_outages.py",
    "tests/processes/test_sentinels.py", "tests/processes/test_ops_embedded.py", "tests/postgres/test_fair_shares.py",
)  # fmt: skip
"""Files that take longest beside those of whole systems: one that began last would keep everybody waiting."""
QUICK = "tests/rules/"
NOT_QUICK = {
    "tests/rules/test_sdk_any_value.py", "tests/rules/test_sdk_at_the_door.py", "tests/rules/test_sdk_pytest_plugin.py",
    "tests/rules/test_window_zones.py", "tests/rules/test_recurrence.py", "tests/rules/test_cli_every_command.py",
}  # fmt: skip
"""Files of rules that take more than three seconds."""


class SystemsTogether(LoadFileScheduling):
    """Keeps the tests of a file together, and all files of stacks, and of fleets."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return kind_of(file) or file


@cache
def kind_of(file: str) -> str | None:
    """Return which kind of whole system the tests of a file (from the root) ask for: only one of a kind lives at a time."""
    text = (ROOT / file).read_text()
    return next((kind for kind, asks in KINDS.items() if asks.search(text)), None)


def in_order(items: list[Any]) -> None:
    """Sort tests so that what takes longest begins first; the order inside a file stays."""
    items.sort(key=lambda item: _rank(item.nodeid.partition("::")[0]))


@cache
def _rank(file: str) -> tuple[int, int]:
    kind = kind_of(file)
    if kind is not None:
        return list(KINDS).index(kind), 0
    return len(KINDS), LONGEST.index(file) if file in LONGEST else len(LONGEST)


def is_quick(file: str) -> bool:
    """Return whether the tests of a file (from the root) belong to the answer that comes within a minute."""
    return file.startswith(QUICK) and file not in NOT_QUICK
