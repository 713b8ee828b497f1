"""Options of Celery's worker that do nothing or break here: each is refused at the start, with its replacement."""

import _thread
import socket
from types import BuiltinFunctionType
from typing import Any

from executor.errors import CannotServe

_POOL = "Start the worker with --pool threads: each thread is a slot that supervises one agent host."
_GREEN = "gevent or eventlet has patched this process: " + _POOL
_REFUSED = {
    "autoscale": "--autoscale cannot change a worker's slots: give their number with -c, and start more workers for more runs.",
    "time_limit": "--time-limit ends no run: set the limit on the agent, as @agent(timeout=…).",
    "soft_time_limit": "--soft-time-limit ends no run: set the limit on the agent, as @agent(timeout=…).",
    "max_tasks_per_child": "--max-tasks-per-child replaces nothing: set TAXIWAY_HOST_ACTIVATIONS, which replaces hosts.",
    "max_memory_per_child": "--max-memory-per-child limits nothing: set TAXIWAY_HOST_GROWTH, which replaces hosts that grow.",
    "purge": "--purge would throw other workers' tickets away: leave it out, tickets need no purge.",
    "logfile": "--logfile writes nothing: Taxiway logs to the standard streams, redirect those.",
}


def refuse_patched_process() -> None:
    """Raise CannotServe if the process's threads or sockets are patched: hosts die with the thread that starts them."""
    if not isinstance(_thread.start_new_thread, BuiltinFunctionType) or socket.socket.__module__ != "socket":
        raise CannotServe(_GREEN)


def refuse_options(worker: Any) -> None:
    """Raise CannotServe for the first refused option. Call before the worker makes its pool: that may need gevent."""
    pool = worker.pool_cls if isinstance(worker.pool_cls, str) else worker.pool_cls.__module__
    if "thread" not in pool:
        raise CannotServe(_POOL)
    for name, sentence in _REFUSED.items():
        if getattr(worker, name, None) or worker.options.get(name):
            raise CannotServe(sentence)
    if worker.options.get("beat"):
        raise CannotServe(
            "-B starts a beat that has nothing to do: schedules are the scheduler's, see `taxiway schedules`."
        )
    if worker.prefetch_multiplier != 1:
        raise CannotServe(
            "--prefetch-multiplier must be 1: a ticket that waits in a worker is one that no other can take."
        )
    if worker.app.conf.worker_disable_prefetch:
        raise CannotServe(
            "--disable-prefetch slows the worker down: leave it out, a worker takes at most one ticket for each slot."
        )
    if worker.pool_start_method != "fork":
        raise CannotServe("--pool-start-method is for pools of processes: leave it out.")
