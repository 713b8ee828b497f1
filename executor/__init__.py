"""Executes runs: the Celery app, activations, agent-host supervision, leases and checkpoints."""

from executor.app import app

__all__ = ["app"]
