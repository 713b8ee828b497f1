"""One exercise: start the system, load it, break it, heal it, wait until it is at rest, check everything."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from functools import partial
from random import Random

import psycopg

from ops.chaos.cluster import Cluster
from ops.chaos.effects import Effects
from ops.chaos.faults import Lane, World
from ops.chaos.invariants import CHECKS, Facts, keeps_secrets
from ops.chaos.journal import Journal
from ops.chaos.load import Api, Client, Errand
from ops.chaos.observer import Observer
from ops.chaos.orders import orders
from ops.chaos.people import People, Person, due
from ops.chaos.plan import Plan, Result
from ops.chaos.recovery import times, undisturbed
from ops.chaos.sampler import EVERY, Sampler
from ops.chaos.schedule import rounds
from ops.chaos.striker import Striker
from ops.chaos.threads import Threads

CLIENTS = 3
LANES: tuple[Lane, ...] = ("quick", "slow")


class Harness:
    """Carries out a plan; `progress` receives a status line now and then."""

    def __init__(self, plan: Plan, progress: Callable[[str], None] = lambda _: None) -> None:
        self.plan, self.progress = plan, progress
        self.journal = Journal()
        self.secret = f"secret-{secrets.token_hex(16)}"
        self.cluster = Cluster(plan.base, plan.size, self.journal)
        self.effects = Effects(self.cluster.effects_log)
        self.stopping, self.resting = threading.Event(), threading.Event()
        self.threads = Threads()
        self.open = ExitStack()

    def run(self) -> Result:
        """Run the exercise and return its result; raises errors of the harness itself."""
        shutil.rmtree(self.plan.base, ignore_errors=True)
        self.plan.base.mkdir(parents=True)
        try:
            self.cluster.start()
            return self._exercise()
        finally:
            self.stopping.set()
            self.resting.set()
            self.cluster.stop()
            self.open.close()

    def _exercise(self) -> Result:
        observer, plan = self._observer(), self.plan
        stack = self.cluster.stack
        hidden = [self.secret, stack.api_key, str(stack.fleet.env["TAXIWAY_SECRET_KEY"])]
        sampler = Sampler(self._observer(), self.journal, stack.redis_url, hidden)
        sampler.step()
        clients = [self._client(number, sampler) for number in range(CLIENTS)]
        people = self._people(clients, lambda: _parked(observer))
        self.threads.go("sampler", lambda: self._sample(sampler))
        self.threads.go("people", lambda: people.run(self.resting))
        loading = [self.threads.go("client", partial(client.run, self.stopping)) for client in clients]
        strikers = [self._striker(lane) for lane in LANES]
        for striker in strikers:
            striker.start()
        self._wait(time.monotonic() + plan.seconds, strikers)
        self.stopping.set()
        for striker in strikers:
            striker.join(120)
        self.cluster.heal()
        for thread in loading:
            self.threads.join(thread, 120)
        result = Result(plan, self.journal)
        result.rested_after = self._rest()
        self.resting.set()
        self.threads.join_all(60)
        sampler.look_at_ended()
        sampler.look_at_keys()
        self._check(observer, result, hidden)
        return result

    def _check(self, observer: Observer, result: Result, hidden: list[str]) -> None:
        facts = Facts(self.journal, self.plan.size.lease, self.cluster.worker_of)
        facts.read(observer, self.effects.follow().by_run)
        for check in CHECKS:
            check(facts)
        keeps_secrets(sorted(self.cluster.stack.logs.glob("*.log")), hidden, facts)
        for run in facts.runs:
            result.statuses[run["status"]] = result.statuses.get(run["status"], 0) + 1
        result.times = times(facts, self.effects, undisturbed(self.journal, self.plan.size.lease))
        result.all_times = times(facts, self.effects, self.journal)

    def _client(self, number: int, sampler: Sampler) -> Client:
        made = orders(self.plan.seed, number, self.plan.mix, self.secret)
        return Client(self._api(), made, self.journal, lambda: sampler.last["waiting"] > self.plan.most_waiting)

    def _people(self, clients: list[Client], parked: Callable[[], list[str]]) -> People:
        def errands() -> list[Errand]:
            ready = [errand for client in clients for errand in due(client.errands)]
            for errand in ready:
                self.journal.accepted[errand.run].cancel_asked |= errand.what == "cancel"
            return ready

        persons = (Person("ann", self._api()), Person("bob", self._api()))
        return People(persons, self.journal, errands, parked, Random(f"{self.plan.seed}/people"))

    def _api(self) -> Api:
        return self.open.enter_context(closing(Api(self.cluster.stack.url, self.cluster.stack.api_key)))

    def _observer(self) -> Observer:
        return self.open.enter_context(closing(Observer(self.cluster.stack.database_url)))

    def _striker(self, lane: Lane) -> Striker:
        effects = Effects(self.cluster.effects_log)
        world = World(self.cluster, self._observer(), effects, self.journal, self.stopping, Random())
        plan = self.plan
        drawn = rounds(plan.seed, lane, plan.faults, plan.size.lease, plan.pause)
        return Striker(lane, drawn, world, self.stopping)

    def _sample(self, sampler: Sampler) -> None:
        while not self.resting.wait(EVERY):
            self.cluster.tend()
            sampler.step()

    def _wait(self, until: float, strikers: list[Striker]) -> None:
        while (left := until - time.monotonic()) > 0 and not self.threads.faults:
            now = ", ".join(filter(None, (striker.now for striker in strikers))) or "nothing"
            done = f"{len(self.journal.accepted)} runs accepted, {len(self.journal.incidents)} faults"
            self.progress(f"{left:4.0f} s  {done}, {len(self.journal.violations)} violations; now: {now}")
            time.sleep(0.5)

    def _rest(self) -> float | None:
        """Wait until the system is at rest; None if that took too long."""
        began = time.monotonic()
        observer = self._observer()
        while time.monotonic() < began + self.plan.rest and not self.threads.faults:
            going = observer.rows(_GOING)[0]["n"]
            if not going:
                return time.monotonic() - began
            self.progress(f"all is healed; {going} runs, and effects on them, are not finished")
            time.sleep(0.2)
        return None


_GOING = """
    SELECT (SELECT count(*) FROM run WHERE finished_at IS NULL)::int + (SELECT count(*) FROM outbox)::int AS n
    """
_STANDING = """
    SELECT id::text FROM run WHERE updated_at < now() - interval '0.7 s'
        AND (status = 'PAUSED' OR (status = 'QUEUED' AND control_request = 'pause'))
    """


def _parked(observer: Observer) -> list[str]:
    """Return the runs that may need a resume: parked ones, and those held before they start."""
    with suppress(psycopg.OperationalError):
        return [row["id"] for row in observer.rows(_STANDING)]
    return []
