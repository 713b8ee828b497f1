"""All faults, by name."""

from ops.chaos.faults import broker, database, freezes, processes, tickets
from ops.chaos.faults.fault import Fault, Lane, World

FAULTS: tuple[type[Fault], ...] = (
    processes.KillHost,
    processes.KillRestingHost,
    processes.KillWorker,
    processes.KillScheduler,
    processes.KillStandby,
    processes.KillApi,
    processes.DrainWorker,
    freezes.FreezeWorker,
    freezes.FreezeMachine,
    freezes.FreezeLeader,
    processes.SkewClock,
    broker.FlushBroker,
    broker.RestartBroker,
    broker.HoleBroker,
    broker.HoleBrokerOfWorkers,
    broker.HoleBrokerOfOneWorker,
    broker.HoleBrokerOfScheduler,
    tickets.DropTickets,
    tickets.DoubleTickets,
    tickets.DelayTickets,
    database.RestartDatabase,
    database.CrashDatabase,
    database.CutDatabase,
    database.ExhaustDatabase,
    database.StallDatabase,
    database.HoleDatabase,
)

__all__ = ["FAULTS", "Fault", "Lane", "World"]
