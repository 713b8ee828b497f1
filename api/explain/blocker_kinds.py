"""Kinds of blockers, in the order in which people should remove them. The names are part of the API."""

from enum import StrEnum


class Kind(StrEnum):
    """Kinds of blockers: actions on this run, its own waits, gates of many runs, limits, then workers and the scheduler."""

    HELD = "held"
    PAUSE = "pause"
    APPROVAL = "approval"
    AUTHORIZATION = "authorization"
    SIGNAL = "signal"
    CODE_MISMATCH = "code_mismatch"
    CHILD = "child"
    TIMER = "timer"
    WINDOW_WAIT = "window_wait"
    SLOT_HELD = "slot_held"
    QUEUE_PAUSED = "queue_paused"
    QUEUE_CORDONED = "queue_cordoned"
    AGENT_PAUSED = "agent_paused"
    WINDOW_CLOSED = "window_closed"
    NOT_BEFORE = "not_before"
    OVERLAP = "overlap"
    KEY = "key"
    TENANT_LIMIT = "tenant_limit"
    PLACE = "place"
    RATE = "rate"
    QUEUE_LIMIT = "queue_limit"
    AGENT_LIMIT = "agent_limit"
    NO_SCHEDULER = "no_scheduler"
    NO_WORKER = "no_worker"
    AGENT_UNSERVED = "agent_unserved"
    DECLINED = "declined"
    CAPACITY = "capacity"
    PROMOTION = "promotion"
    PROMOTED = "promoted"
    RECOVERING = "recovering"


ORDER = {kind: n for n, kind in enumerate(Kind)}
