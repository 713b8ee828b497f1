"""Settings of the broker, which publishers and consumers must share."""

import os
from typing import Any

from models.errors import SettingsError
from models.runtime.redis_address import RedisAddress
from models.runtime.settings import Settings

TASK = "executor.advance"
DEFAULT_QUEUE = "default"


def broker_settings(settings: Settings) -> dict[str, Any]:
    """Return the Celery settings of the transport, equal for scheduler, workers and Flower; raises SettingsError."""
    address = RedisAddress.parse(settings.redis_url)
    _refuse_other_address({settings.redis_url, address.broker_url} if address.master is None else set())
    return {
        "broker_url": address.broker_url,
        "broker_use_ssl": address.tls if address.tls is not None else False,
        "task_serializer": "json",
        "event_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],  # a pickle from any process that can write to the broker would be code
        "result_accept_content": ["json"],
        "enable_utc": True,
        "result_backend": None,  # PostgreSQL is the truth
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_default_queue": DEFAULT_QUEUE,
        "task_create_missing_queues": True,  # only the scheduler publishes, to queues known in PostgreSQL
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # the default gives up after 100 tries and stops the worker
        "broker_connection_timeout": 4,
        "broker_pool_limit": 10,
        "broker_pool_acquire_timeout": 5,
        "broker_transport_options": {
            # What was delivered and not yet acknowledged is counted in the worker alone: a lost ticket is published again
            # anyway, and remembering each in Redis took two more round trips per run, a sixth of a busy worker.
            "ack_emulation": False,
            "socket_timeout": 10,  # without it a half-open connection hangs the hub for ever
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "global_keyprefix": settings.redis_prefix,
            "client_name": "taxiway",
            **_sentinel_options(address),
        },
    }


def _sentinel_options(address: RedisAddress) -> dict[str, Any]:
    if address.master is None:
        return {}
    return {"master_name": address.master, "sentinel_kwargs": address.sentinel_options()}


def _refuse_other_address(same: set[str]) -> None:
    """Celery lets these variables win over every setting: tickets would go where no worker of ours looks."""
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
        if os.environ.get(name) and os.environ[name] not in same:
            raise SettingsError(
                f"{name} is set, and Celery obeys it: unset it, and put the address into TAXIWAY_REDIS_URL."
            )
