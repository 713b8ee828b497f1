"""The executor's Celery application with task events off, as for every measured system."""

from __future__ import annotations

from executor import app

app.conf.worker_send_task_events = False

__all__ = ["app"]
