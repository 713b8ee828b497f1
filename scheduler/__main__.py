"""The scheduler process: `python -m scheduler`."""

import signal
import sys

from models.errors import SettingsError
from models.runtime import gc_tuning
from models.runtime.bus import FREED, PROMOTE, Bus
from models.runtime.facts import fact, set_up_logging
from models.runtime.listener import Listener
from models.runtime.probe import Probe
from models.runtime.redis_client import check_kind
from models.runtime.settings import Settings, settings
from scheduler.announcer import Announcer
from scheduler.duties.bulk import Bulks
from scheduler.duties.expiry import Expiry
from scheduler.duties.housekeeping import Housekeeping
from scheduler.duties.outbox import Outbox
from scheduler.duties.overdue_cancels import OverdueCancels
from scheduler.duties.place_assignment import Places
from scheduler.duties.recovery import Recovery
from scheduler.duties.retention import Retention
from scheduler.duties.schedules import Schedules
from scheduler.duties.timed_release import Lifting
from scheduler.duties.timers import Timers
from scheduler.duties.window_enforcement import Closing
from scheduler.duty import Duty
from scheduler.loop import Loop
from scheduler.promotion.gates import GateReader
from scheduler.promotion.promotion import Promotion
from scheduler.promotion.publisher import Publisher
from scheduler.promotion.republication import Republication


def _duties(config: Settings, publisher: Publisher) -> list[Duty]:
    gates = GateReader()
    return [
        # The order of the duties that wake on hints matters: apply outbox effects, assign places, then promote.
        Outbox(config.cancel_grace_seconds),
        Places(config.cancel_grace_seconds, gates),
        Promotion(publisher.publish, gates),
        Closing(gates),
        Schedules(),
        Timers(),
        Lifting(),
        Expiry(),
        Recovery(config.lease_seconds),
        OverdueCancels(),
        Bulks(config.cancel_grace_seconds),
        Republication(publisher.publish),
        Housekeeping(),
        *([Retention(config.retention_days)] if config.retention_days else []),
    ]


def serve(config: Settings) -> None:
    """Run a scheduler until SIGTERM or SIGINT; raise SettingsError."""
    check_kind(config.redis_url)
    bus, publisher = Bus(config.redis_url, config.redis_prefix), Publisher(config)
    loop = Loop(lambda: _duties(config, publisher), Announcer(bus).announce)
    listener = Listener(config.redis_url, lambda: (PROMOTE, FREED), loop.hint)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    probe = Probe(config, loop.alive, loop.ready)
    probe.start()
    bus.start()
    publisher.start()
    listener.start()
    gc_tuning.settle()
    fact("scheduler.started")
    loop.run()
    probe.stop()
    listener.stop()
    publisher.stop(5)
    bus.stop()
    fact("scheduler.stopped")


def main() -> None:
    """Check the settings, then serve."""
    try:
        config = settings()
    except SettingsError as error:
        sys.stderr.write(f"taxiway: {error}\n")
        sys.exit(2)
    set_up_logging(config, "scheduler")
    try:
        serve(config)
    except SettingsError as error:
        sys.exit(f"taxiway: {error}")


if __name__ == "__main__":
    main()
