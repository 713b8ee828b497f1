"""How the broker is used: the settings that whoever publishes and whoever consumes must share."""

from typing import Any

from models.settings import Settings

TASK = "executor.advance"
DEFAULT_QUEUE = "default"


def broker_settings(settings: Settings) -> dict[str, Any]:
    """Give the Celery settings of the transport, equal for scheduler, workers and Flower."""
    return {
        "broker_url": settings.redis_url,
        "task_serializer": "json",
        "event_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],  # a pickle from anybody who can write to the broker would be code
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
        },
    }
