"""A channel that sends too much is left for a while, for longer each time it repeats that."""

from __future__ import annotations

from api.streams.flood import AT_ONCE, CALM_SECONDS, FIRST_SECONDS, LONGEST_SECONDS, Flood


class Channel:
    """A channel with its own clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.flood = Flood(lambda: self.now)

    def says(self, messages: int) -> float:
        return max(self.flood.count() for _ in range(messages))


def test_what_a_worker_says_at_once_is_heard() -> None:
    channel = Channel()
    for _ in range(20):
        assert channel.says(int(AT_ONCE)) == 0
        channel.now += 1


def test_a_flood_is_left_once_and_longer_each_time_until_it_has_been_calm() -> None:
    channel, left = Channel(), []
    for _ in range(5):
        left.append(channel.says(2 * int(AT_ONCE)))
        assert channel.says(1000) == 0, "it is left already"
        channel.now += left[-1]
        channel.flood.unmute()
    assert left == [FIRST_SECONDS, 1.0, 2.0, LONGEST_SECONDS, LONGEST_SECONDS]
    channel.now += CALM_SECONDS + 1
    assert channel.says(2 * int(AT_ONCE)) == FIRST_SECONDS
