"""The executor's own Celery application with task events off, as they are for everybody who is measured."""

from __future__ import annotations

from executor import app

app.conf.worker_send_task_events = False

__all__ = ["app"]
