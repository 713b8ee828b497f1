"""The accounts that `TAXIWAY_HOST_USER` names: account names, user ids and ranges of user ids, by comma."""

import re

MOST = 65_536
_RANGE = re.compile(r"(\d+)-(\d+)")
_HIGHEST = 2**31 - 1


def accounts_named(text: str) -> list[str | int]:
    """Return names and user ids in order, ranges in full; raise ValueError with the reason why not."""
    found: list[str | int] = []
    for entry in map(str.strip, text.split(",")):
        bounds = _RANGE.fullmatch(entry)
        first, last = (bounds[1], bounds[2]) if bounds else (entry, entry)
        if not entry:
            raise ValueError("must be accounts by comma, such as agent or agent1,agent2 or 20000-20063")
        if not first.isdecimal():
            found.append(entry)
            continue
        low, high = int(first), int(last)
        if not 1 <= low <= high <= _HIGHEST or high - low >= MOST:
            raise ValueError(f"{entry} is no range of at most {MOST} user ids, the lower one first and never 0")
        found += range(low, high + 1)
    if len(set(found)) < len(found):
        raise ValueError("it names an account twice")
    return found
