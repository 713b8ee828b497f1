"""Configuration of Flower as a read-only view without secrets: `celery -A executor flower --conf=ops/flowerconfig.py`.

Flower executes this file and uses every name that is one of its options. The file overrides Flower's own `FLOWER_*` variables,
so the variables for deployments are read here. Never set `FLOWER_UNAUTHENTICATED_API`: it opens the API to all clients and web
pages. `/metrics` and `/healthcheck` are always open; keep them in a private network.
"""

import os
import re
import secrets
from typing import Protocol

# Reachable only from this machine, unless a deployment changes it (behind a proxy or in a container).
address = os.environ.get("FLOWER_ADDRESS", "127.0.0.1")
port = int(os.environ.get("FLOWER_PORT", "5555"))
xheaders = True

# user:password, separated by commas. Without it no login works: the random password is unknown to all.
basic_auth = os.environ.get("FLOWER_BASIC_AUTH", f"nobody:{secrets.token_urlsafe(24)}").split(",")
if given_cookie_secret := os.environ.get("FLOWER_COOKIE_SECRET"):
    cookie_secret = given_cookie_secret

# Read-only: runs are canceled through our API, which checks the epoch.
read_only = True

# Flower keeps its data in memory; the runs themselves are in PostgreSQL.
persistent = False
max_tasks = 20_000
max_workers = 500
purge_offline_workers = 300
inspect_timeout = 2000.0

tasks_columns = "name,uuid,state,args,result,worker,received,started,runtime"
task_runtime_metric_buckets = [0.1, 1.0, 5.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 14400.0]

_IDS_ONLY = re.compile(r"(run=[0-9a-f-]+ epoch=\d+)?|\(\)|\{\}")
_OUTCOME = re.compile(r"'?[a-z_]+(:[a-z_]+)?'?")
_HIDDEN = "(hidden)"


class _Task(Protocol):
    args: str | None
    kwargs: str | None
    result: str | None
    exception: str | None
    traceback: str | None


def format_task(task: _Task) -> _Task:
    """Hide everything that is not an id, an epoch or an outcome word.

    Our tickets carry nothing else. This protects foreign tasks on the same broker, and unexpected errors.
    """
    if not _IDS_ONLY.fullmatch(task.args or ""):
        task.args = _HIDDEN
    if not _IDS_ONLY.fullmatch(task.kwargs or ""):
        task.kwargs = _HIDDEN
    if not _OUTCOME.fullmatch(task.result or "none"):
        task.result = _HIDDEN
    if task.exception:
        task.exception = task.exception.split("(")[0]
    task.traceback = None
    return task
