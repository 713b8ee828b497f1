"""Registry of the log facts: the name, the levels and the fields of each, when it is written and what to do about it.

Names and fields are part of the operator's interface. A test compares this table with every call of `fact` in the server.
It is one table, with an entry for each fact, grouped by the process that writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Fact(NamedTuple):
    """One name in the log; `levels` and `fields` are separated by spaces, `todo` is empty where nothing has to be done."""

    name: str
    levels: str
    fields: str
    when: str
    todo: str = ""


_RUNS = (
    Fact("run.accepted", "info", "run agent queue", "A run is stored. Its client is about to receive 201."),
    Fact(
        "batch.accepted", "info", "runs first last",
        "A batch of runs is stored; `first` and `last` are the lowest and the highest id.",
    ),
    Fact(
        "run.placed", "debug", "run queue",
        "The scheduler gave the run the last place that it needs. The run is ready.",
    ),
    Fact(
        "run.claimed", "debug", "run epoch agent",
        "A worker took the run's ticket. From now on this worker alone may write the run, under this epoch.",
    ),
    Fact(
        "run.left", "info", "run epoch agent outcome active_ms",
        "An activation ended and its outcome is recorded, for example `succeeded`, `parked:approval`, "
        "`dropped:stale`.",
        "For `dropped:fenced`, look for `worker.found_dead` with the same worker: it was cut off or too slow.",
    ),
    Fact(
        "run.declined", "info", "run epoch why",
        "A worker gave a ticket back: it drains, or does not serve the agent.",
        "If `not_served` repeats, the workers of one queue serve different agents. Start them with the same "
        "`TAXIWAY_AGENTS`.",
    ),
    Fact(
        "run.slot_held", "info", "run epoch by",
        "An async run waits but keeps its slot. `by` names what holds it, with file and line.",
        "Move the named work into a step if slots are scarce.",
    ),
    Fact(
        "run.pausing", "info", "run epoch",
        "A worker received a pause. The run continues to the end of the steps in flight.",
    ),
    Fact("run.paused", "info", "run", "The API paused a run that no worker was executing."),
    Fact(
        "run.pause_requested", "info", "run worker epoch",
        "The API recorded a pause for a run that a worker executes.",
    ),
    Fact("run.resumed", "info", "run", "The API resumed a run."),
    Fact(
        "run.canceled", "info", "run reason",
        "The API canceled a run that no worker was executing (`run` alone), or the scheduler did for the conflict"
        " rule of a concurrency key (with `reason`).",
    ),
    Fact(
        "run.cancel_requested", "info", "run worker epoch",
        "The API recorded a cancel for a run that a worker executes.",
    ),
    Fact(
        "run.cancel_completed", "info", "run",
        "The scheduler completed a cancel whose worker did not do it in time.",
        "Look at the worker's log if it repeats.",
    ),
    Fact("run.signaled", "info", "run woken", "A signal was stored. `woken` is the number of moves that followed."),
    Fact(
        "run.woken", "debug", "run status",
        "The scheduler resolved a wait whose time has come, or whose window is open again.",
    ),
    Fact(
        "run.folded", "debug", "run status",
        "The scheduler applied outbox rows to a run: a child ended, a parent was canceled, a consent was given.",
    ),
    Fact("run.steered", "debug", "run status", "A bulk operation moved a run."),
    Fact("run.recovered", "info", "run status", "The scheduler took a run from a dead worker and made it ready again."),
    Fact(
        "run.expired", "info", "run",
        "A run failed because it did not start within `expiresIn`.",
        "Raise the capacity or `expiresIn`.",
    ),
    Fact("run.withdrawn", "info", "run queue", "The scheduler took a ticket back because a gate closed."),
    Fact(
        "run.window_closed", "info", "run worker",
        "The scheduler asked a worker to park a run because its window closed.",
    ),
    Fact("run.window_reopened", "info", "run", "The scheduler took such a request back: the window is open again."),
    Fact(
        "runs.forgotten", "info", "runs",
        "Retention deleted terminal runs that are older than `TAXIWAY_RETENTION_DAYS`.",
    ),
    Fact(
        "outbox.failed", "exception", "run",
        "Outbox rows could not be applied to a run. The scheduler tries this run again later.",
        "A bug: report it with the traceback.",
    ),
    Fact("bulk.accepted", "info", "bulk action matched", "A bulk operation is stored."),
    Fact(
        "bulk.finished", "info", "bulk action matched done skipped failed",
        "A bulk operation is done.",
        "If `failed` is not 0, read `bulk.run_failed`.",
    ),
    Fact(
        "bulk.run_failed", "exception", "bulk action run",
        "A bulk operation could not act on one run. It counts the run as failed and continues.",
        "A bug: report it with the traceback.",
    ),
)  # fmt: skip

_WORKERS = (
    Fact("worker.started", "info", "worker queue slots agents", "A worker is registered and takes tickets."),
    Fact(
        "worker.waits_for_schema", "warning", "missing why",
        "A new worker does not start before the database is migrated. Repeated every ten seconds.",
        "Run `alembic upgrade head`.",
    ),
    Fact(
        "worker.waits_for_older", "warning", "queue workers why",
        "A new worker does not start beside workers of an older record format. Repeated every ten seconds.",
        "Drain the named workers.",
    ),
    Fact(
        "worker.cannot_start", "exception", "",
        "An unexpected error ended the start of a worker.",
        "Read the traceback.",
    ),
    Fact("worker.drains", "info", "worker", "A drain was requested through the API. The worker takes nothing new."),
    Fact("worker.stopped", "info", "worker", "A worker ended in order. Its runs were handed back."),
    Fact(
        "worker.left_silently", "warning", "worker",
        "A worker ended, but could not say so to PostgreSQL. The scheduler finds it dead.",
    ),
    Fact(
        "worker.declared_dead", "error", "worker",
        "A worker learned that the scheduler gave its runs to others. It kills its hosts and registers under a "
        "new id.",
        "Look for a frozen machine, a cut network or a stopped process.",
    ),
    Fact(
        "worker.found_dead", "warning", "worker",
        "The scheduler declared a worker dead. Its runs are recovered.",
        "Look at the worker's last lines and at the kernel's log (out of memory?).",
    ),
    Fact("lease.database_away", "warning", "error", "The worker could not renew its lease. It tries again."),
    Fact("lease.database_back", "info", "", "The worker renews its lease again."),
    Fact(
        "lease.in_doubt", "error", "",
        "No renewal succeeded for almost a lease. The worker kills its busy hosts.",
        "Check PostgreSQL and the network in between. The runs continue once it is back.",
    ),
    Fact(
        "lease.failed", "exception", "",
        "A renewal failed in an unexpected way. The worker tries again.",
        "A bug: report it with the traceback.",
    ),
    Fact(
        "outcomes.not_read", "warning", "error",
        "A worker could not read the outcomes of waits. It reads them with the next renewal.",
    ),
)  # fmt: skip

_HOSTS = (
    Fact(
        "host.replaced", "debug info warning", "agent why",
        "A host ended and another takes its place. `why` says the reason; with `agent`, each run of this agent "
        "costs a fresh host.",
        "For a warning, let the agent clean up its threads, processes and changes.",
    ),
    Fact(
        "host.cannot_start", "error", "why",
        "No agent host can start. The worker tries again.",
        "`why` holds the agent's import error or the missing program.",
    ),
    Fact("host.confined", "info", "keeps_from", "Hosts run under Landlock. `keeps_from` names what they cannot do."),
    Fact(
        "host.unconfined", "warning", "why",
        "The kernel has no Landlock, so hosts can signal and trace processes of their account.",
        "Use Linux 5.19 or newer, or accounts of their own (`TAXIWAY_HOST_USER`).",
    ),
    Fact(
        "host.account_shared", "warning", "why",
        "All hosts share one account and can read the files of the others.",
        "Name one account for each host in `TAXIWAY_HOST_USER`.",
    ),
    Fact(
        "host.account_stuck", "error", "uid why",
        "Processes or files of a host's account cannot be removed. The account is not used.",
        "Look for processes in uninterruptible sleep and for mounts under that account.",
    ),
    Fact(
        "host.strays_left", "error", "processes",
        "Child processes of the worker that are no hosts cannot be ended.",
        "End them by hand.",
    ),
    Fact("host.strays_ended", "debug", "processes", "The worker ended child processes that are no hosts."),
)  # fmt: skip

_SCHEDULER = (
    Fact("scheduler.started", "info", "", "A scheduler serves, as the leader or as a standby."),
    Fact(
        "scheduler.leads", "info", "",
        "This scheduler is the leader from now on.",
        "If it repeats every few seconds, check the clock, the load and the database of both machines.",
    ),
    Fact("scheduler.stopped", "info", "", "A scheduler ended in order."),
    Fact(
        "scheduler.duty_failed", "exception", "duty",
        "One duty failed. It is tried again after a second; the others continue.",
        "A bug, or a statement that PostgreSQL canceled: read the traceback.",
    ),
    Fact(
        "scheduler.database_away", "warning", "why",
        "The scheduler lost its session. Another may lead until PostgreSQL is back.",
    ),
    Fact("scheduler.database_back", "info", "", "The scheduler has a session again."),
    Fact("window.open", "info", "window until", "A window is open, at the start of the leader or from now on."),
    Fact("window.closed", "info", "window until", "A window is closed, at the start of the leader or from now on."),
    Fact(
        "window.unusable", "error", "window why",
        "A window cannot be evaluated. It counts as closed.",
        "Put the window again, with a valid cron line and zone.",
    ),
    Fact("schedule.fired", "info", "tenant schedule at run", "A schedule made its run."),
    Fact("schedule.skipped", "info", "tenant schedule at", "A schedule made no run: its overlap rule says so."),
    Fact(
        "schedule.not_fired", "exception", "tenant schedule at",
        "A schedule could not fire. It is tried again after a second.",
        "Read the traceback.",
    ),
    Fact(
        "schedule.unusable", "error", "tenant schedule why",
        "A schedule cannot be evaluated. It is stopped.",
        "Put the schedule again.",
    ),
)  # fmt: skip

_SERVERS = (
    Fact(
        "database.away", "warning", "lane error detail",
        "PostgreSQL cannot be reached. A worker's recorder (with `lane`) waits; the API answers 503.",
    ),
    Fact("database.back", "info", "lane", "The recorder writes again."),
    Fact(
        "database.refuses", "error", "error detail",
        "PostgreSQL answers, but cannot write: its disk is full, or it is a read-only standby.",
        "Do what `detail` says.",
    ),
    Fact(
        "redis.away", "warning", "error",
        "Redis cannot be reached. Hints are lost; everything continues by polling, somewhat later.",
    ),
    Fact("redis.back", "info", "", "Hints are published again."),
    Fact("redis.subscribed", "info", "channels", "The API receives hints for its streams."),
    Fact(
        "broker.away", "warning", "error tickets",
        "Tickets could not be published. They are published again from PostgreSQL.",
    ),
    Fact("broker.back", "info", "", "Tickets are published again."),
    Fact(
        "publisher.failed", "exception", "",
        "Tickets could not be published, for an unexpected reason. They are published again from PostgreSQL.",
        "A bug: report it with the traceback.",
    ),
    Fact(
        "probe.listens", "info", "host port",
        "A worker or a scheduler answers health checks and metrics at this address.",
    ),
)  # fmt: skip

_API = (
    Fact("api.started", "info", "", "An API process serves."),
    Fact("api.stopped", "info", "", "An API process ended in order."),
    Fact(
        "api.fault", "error", "error where",
        "A request ended with 500. `where` names files and lines.",
        "A bug: report it.",
    ),
    Fact(
        "api.unguarded", "warning", "detail",
        "The API runs without `--http api.guard:Guard`, so half-sent requests are held.",
        "Do what `detail` says.",
    ),
    Fact(
        "secret_key.temporary", "warning", "detail",
        "No `TAXIWAY_SECRET_KEY` is set: links and sealed tokens become invalid when this process ends.",
        "Set it, the same for every process.",
    ),
    Fact(
        "read.given_up", "warning", "",
        "A read took longer than its time limit and ended with 503.",
        "Narrow the client's filter; look at the load of PostgreSQL.",
    ),
    Fact(
        "schema.unusable", "warning", "whose error",
        "A value cannot be compared with the JSON Schema of `whose`. The request is refused with 422.",
        "Correct the agent's annotation.",
    ),
    Fact(
        "stream.flooded", "warning", "channel seconds",
        "A run publishes too many live messages. Streams skip them for that time; recorded events are complete.",
        "Let the agent log less.",
    ),
    Fact(
        "stream.read_failed", "warning", "error",
        "Events for streams could not be read. They are read with the next poll.",
    ),
    Fact(
        "stream.keys_unknown", "warning", "error",
        "The API could not check whether keys of open streams were revoked. It checks again.",
    ),
)  # fmt: skip

_PEOPLE = (
    Fact(
        "wait.decided", "info", "run wait outcome",
        "A question or an authorization was answered through the API or a page. `outcome` says how.",
    ),
    Fact(
        "grant.given", "info", "provider run others",
        "A person authorized a provider. `others` other runs waited for the same grant.",
    ),
    Fact("grant.refreshed", "info", "provider", "A worker renewed an access token."),
    Fact(
        "grant.not_renewed", "warning", "provider why",
        "A token could not be renewed, but is valid for a while. The next step tries again.",
    ),
    Fact(
        "grant.lost", "info", "provider",
        "A provider does not accept a grant any longer. The next `run.authorize` asks the person again.",
    ),
    Fact(
        "grant.unavailable", "warning", "provider why",
        "A step asked for a token and could not get one.",
        "`why` names the provider's answer.",
    ),
    Fact(
        "grant.failed", "exception", "provider",
        "A step asked for a token, and the worker failed in an unexpected way.",
        "A bug: report it with the traceback.",
    ),
    Fact("grant.revoked", "info", "grant provider by", "A key revoked a grant."),
    Fact(
        "grant.provider_not_told", "warning", "provider why",
        "A grant was revoked here, but the provider could not be informed.",
        "Revoke it at the provider as well.",
    ),
    Fact(
        "provider.failed", "warning", "provider why",
        "A provider refused the code of an authorization. The run still waits.",
        "Compare client id, secret and redirect address with the provider's.",
    ),
    Fact(
        "provider.unreadable", "error", "provider why",
        "The client secret of a provider cannot be opened: the secret key changed.",
        "Put the provider again.",
    ),
)  # fmt: skip

_CONFIGURATION = (
    Fact(
        "queue.changed", "info", "queue by limit paused window tenant_limit key_limit hold_keys rate weights cordoned",
        "A key changed a queue. The fields are those that it gave.",
    ),
    Fact(
        "agent.changed", "info", "agent by limit paused window",
        "A key changed an agent. The fields are those that it gave.",
    ),
    Fact("window.put", "info", "window by", "A key made or changed a window."),
    Fact("window.deleted", "info", "window by", "A key deleted a window."),
    Fact("window.overridden", "info", "window state until by", "A key opened or closed a window until a time."),
    Fact("window.override_ended", "info", "window by", "A key ended such an override."),
    Fact("schedule.put", "info", "tenant schedule by", "A key made or changed a schedule."),
    Fact("schedule.deleted", "info", "tenant schedule by", "A key deleted a schedule."),
    Fact("schedule.run_by_hand", "info", "tenant schedule run by", "A key made a run of a schedule."),
    Fact("provider.changed", "info", "provider by", "A key made or changed an OAuth provider."),
    Fact("provider.forgotten", "info", "provider by", "A key deleted an OAuth provider."),
    Fact("key.created", "info", "key by", "An API key was created through the API."),
    Fact("key.revoked", "info", "key by", "An API key was revoked through the API."),
    Fact("worker.drain_requested", "info", "worker by", "A key asked a worker to drain."),
)  # fmt: skip

SECTIONS: Mapping[str, tuple[Fact, ...]] = {
    "Runs": _RUNS,
    "Workers and leases": _WORKERS,
    "Agent hosts": _HOSTS,
    "Scheduler, windows and schedules": _SCHEDULER,
    "PostgreSQL, Redis and the broker": _SERVERS,
    "API and streams": _API,
    "People and grants": _PEOPLE,
    "Configuration": _CONFIGURATION,
}
FACTS: Mapping[str, Fact] = {fact.name: fact for facts in SECTIONS.values() for fact in facts}
