"""The words of `run.blocked_on`: what holds back a single run that is otherwise ready. A line's name is a gate as well."""

DECLINED = "declined"
"""A worker that did not serve its agent gave its ticket back; until `blocked_until`."""
NOT_BEFORE = "not_before"
"""It may not begin before `blocked_until`."""
OVERLAP = "overlap"
"""It waits for the run that its schedule made before."""
PLACE = "place"
"""It asks for places; the scheduler will send it to a line, or let it go."""

# As the index of blocked runs has it: in lines there is no such moment, and their order comes next.
BLOCKED_UNTIL = "coalesce(blocked_until, '-infinity'::timestamptz)"

# The names of lines, over the columns of a run. No queue and no tenant has a line break in its name.
KEY_LINE = "'key:' || run.queue || chr(10) || run.tenant || chr(10) || run.concurrency_key"
TENANT_LINE = "'tenant:' || run.queue || chr(10) || run.tenant"


def queue_of(line: str) -> str:
    """Return the queue that a line belongs to."""
    return line.partition(":")[2].partition("\n")[0]
