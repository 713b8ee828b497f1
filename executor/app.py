"""The Celery application: every setting with its reason."""

import logging
import sys
import warnings
from typing import Any

from celery import Celery, signals
from celery.platforms import SecurityWarning

from executor import worker_hooks
from executor.errors import CannotServe
from executor.log_filters import OncePerOutage
from executor.options import refuse_patched_process
from models.errors import SettingsError
from models.runtime import kombu_channel
from models.runtime.celery_settings import TASK, broker_settings
from models.runtime.facts import set_up_logging
from models.runtime.settings import Settings, settings


def _read_settings() -> tuple[Settings, dict[str, Any]]:
    try:
        refuse_patched_process()
        return settings(), broker_settings(settings())
    except (SettingsError, CannotServe) as error:
        sys.stderr.write(f"taxiway: {error}\n")
        sys.exit(2)


# Celery warns of root because of pickled messages; here only JSON is accepted, and TAXIWAY_HOST_USER needs root.
warnings.filterwarnings("ignore", category=SecurityWarning)
_settings, _broker = _read_settings()
app = Celery("taxiway")
app.conf.update(
    _broker,
    task_acks_late=True,  # an unacked ticket keeps a full worker from taking another ticket; acks have no other meaning
    task_reject_on_worker_lost=False,  # the epoch decides which worker continues, not the broker
    worker_prefetch_multiplier=1,  # with late acks: never more tickets than slots
    worker_cancel_long_running_tasks_on_connection_loss=False,  # a broker blip must not end hours of work
    worker_disable_rate_limits=True,  # the scheduler applies the limits
    worker_send_task_events=True,  # Flower shows the runs
    task_send_sent_event=False,  # it would double the events without use
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_proc_alive_timeout=30.0,
)


@signals.setup_logging.connect
def _logging(**_: Any) -> None:
    set_up_logging(_settings, "worker")
    for name in ("celery.worker.strategy", "celery.app.trace"):  # two lines per task beside our `run.left`
        logging.getLogger(name).setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(OncePerOutage())


@app.task(name=TASK)
def advance(run: str, epoch: int) -> str:
    """Advance a run until it parks, ends or is handed back; return the outcome's Flower label."""
    return worker_hooks.current().execute(worker_hooks.run_id(run), int(epoch))


kombu_channel.install()
worker_hooks.attach(app)
