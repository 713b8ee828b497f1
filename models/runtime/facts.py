"""Turns facts into log lines. A fact's name is part of the operator's interface; its fields hold ids, never payloads."""

import logging
import sys
from typing import Any

import structlog

from models.runtime.settings import Settings


def set_up_logging(settings: Settings, process: str) -> None:
    """Write facts, and what libraries log, to stderr as console lines or JSON."""
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[Any] = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, stamp]
    renderer: Any = structlog.processors.JSONRenderer()
    if settings.log_format == "console":
        # A plain traceback: a richer one would print local variables, and with them payloads.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for name in (
        "authlib",
        "httpx2",
        "httpcore2",
    ):  # they would write down which addresses they ask, and what comes back
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


_logger = structlog.get_logger("taxiway")


def fact(name: str, *, level: str = "info", **fields: Any) -> None:
    """State that something happened, for example `fact("run.claimed", run=run_id, epoch=3)`."""
    getattr(_logger, level)(
        name, **{key: str(value) if not isinstance(value, (int, float)) else value for key, value in fields.items()}
    )
